import EnclaveClient
import EnclaveProtocol
import FoundationEssentials
import HostStorage
import LLMGateway
import Sodium

/// URGENT_EMAIL_CHECK: looks at unread mail that was not looked at before, and notifies of what cannot wait.
struct UrgentEmailJob: JobHandler {
    static let listed: UInt8 = 20
    static let fetched = 10
    static let maximumBody = 180
    /// How long it may be delivered, in seconds.
    static let life = 7200.0

    let stores: WorkerStores
    let enclave: any WorkerEnclave
    let author: any NotificationAuthor
    let now: @Sendable () -> Date

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        let inputs = try await JobInputs(for: job.lease, from: stores, needing: .mail)
        let candidates = try await candidates(job, inputs.connector)
        guard !candidates.isEmpty else { return .skipped("no_new_candidates") }
        let judgement = await author.verdict(
            MailCheckContext(
                user: job.lease.user, candidates: candidates, requestID: job.lease.callID,
                traceparent: job.traceparent))
        let verdict = judgement.verdict
        let seen = zip(candidates, judgement.judged).filter(\.1).map { Self.digest($0.0.id, of: job.lease.user) }
        let check = AuditMailCheck(
            candidates: candidates.count, fetched: candidates.count,
            attestedMeasurement: enclave.attestedMeasurement, shouldNotify: verdict.shouldNotify,
            urgency: verdict.urgency.rawValue, hasReason: !verdict.reason.isEmpty)
        var effect = JobEffect(
            outcome: judgement.urgent.isEmpty ? "no_notification" : "notified",
            seen: seen,
            audits: [
                .workerUrgentEmailOutput(
                    job: job.lease.audit, check: check,
                    author: AuditAuthor(source: judgement.source.rawValue, model: judgement.audit))
            ])
        guard let first = judgement.urgent.first else {
            let action = AuditAction(source: "gmail", attestedMeasurement: enclave.attestedMeasurement)
            effect.audits.append(
                .jobActionSkipped(
                    job: job.lease.audit, action: action, outcome: "no_notification",
                    reason: "llm_marked_not_urgent"))
            return .done(effect)
        }
        let sealer = Sealer(enclave: enclave, user: job.lease.user, context: job.context())
        effect.pushes = NewPushes(
            actionKey: job.idempotencyKey, kind: .urgentEmail, expiresAt: now().addingTimeInterval(Self.life),
            items: try await sealer.notifications(
                Self.payload(first, and: judgement.urgent.dropFirst(), dueAt: job.dueAt), for: inputs.devices))
        return .done(effect)
    }

    /// The newest messages that no earlier run has judged.
    private func candidates(_ job: ClaimedJob, _ connector: Connector) async throws(JobStop) -> [MailMaterial] {
        let reader = MailReader(
            enclave: enclave, user: job.lease.user, connector: connector, context: job.context())
        let ids: [String]
        do throws(EnclaveCallError) {
            ids = try await reader.unread(days: 2, maximum: Self.listed)
        } catch {
            throw JobStop(error, during: .gmailList, with: connector)
        }
        let digests = ids.map { Self.digest($0, of: job.lease.user) }
        let seen = try await reading("EMAIL_SEEN_READ_FAILED") { () throws(StorageError) in
            try await stores.jobs.seenMail(of: job.lease.user, among: digests)
        }
        let fresh = zip(ids, digests).filter { !seen.contains($0.1) }.map(\.0).prefix(Self.fetched)
        do throws(EnclaveCallError) {
            return try await reader.messages(Array(fresh))
        } catch {
            throw JobStop(error, during: .gmailMessage, with: connector)
        }
    }

    /// What is remembered of a message: bound to its user, so that digests of two users tell nothing.
    static func digest(_ message: String, of user: UUID) -> [UInt8] {
        Array(Hash.sha256(UserIDBytes.of(user) + Array(message.utf8)))
    }

    /// One verdict with what to do, or the summaries of several, each with an equal share of the room.
    static func payload(_ verdict: MailVerdict, and more: ArraySlice<MailVerdict> = [], dueAt: Date) -> PushPayload {
        let title =
            switch verdict.urgency {
            case .critical: "Critical email"
            case .high: "Urgent email"
            case .medium, .low: "Email update"
            }
        let summary = ReminderText.line(verdict.summary)
        let first = summary.isEmpty ? "You have an email that may need attention." : summary
        var parts = [first] + verdict.actions.prefix(1).map(ReminderText.line).filter { !$0.isEmpty }
        if !more.isEmpty {
            let share = maximumBody / (more.count + 1) - 3
            parts = ([first] + more.map { ReminderText.line($0.summary) }).map {
                ReminderText.cut($0, to: share, bytes: 1440 / (more.count + 1) - 5)
            }
        }
        return PushPayload(
            title: title, body: ReminderText.cut(parts.joined(separator: " • "), to: maximumBody, bytes: 1440),
            dueAt: dueAt)
    }
}

enum UserIDBytes {
    /// The 16 bytes of a user's id.
    static func of(_ user: UUID) -> [UInt8] { withUnsafeBytes(of: user.uuid) { Array($0) } }
}
