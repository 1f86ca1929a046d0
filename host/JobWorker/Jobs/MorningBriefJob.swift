import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import LLMGateway

/// MORNING_BRIEF: the local day's meetings, and mail that may matter, in one notification.
struct MorningBriefJob: JobHandler {
    /// Of the events read, the most that are shown to a model.
    static let maximumMeetings = 20
    static let maximumMail: UInt8 = 10
    static let maximumTitle = 64
    static let maximumBody = 180
    /// How long it may be delivered when nothing else is known, in seconds.
    static let life = 4 * 3600.0

    let stores: WorkerStores
    let enclave: any WorkerEnclave
    let author: any NotificationAuthor
    let now: @Sendable () -> Date

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        let inputs = try await JobInputs(for: job.lease, from: stores)
        let clock = WallClock(timeZone: inputs.preferences.timeZone)
        let day = clock.reading(at: now()).day
        guard let bounds = clock.bounds(of: day) else { return .skipped("no_such_day") }
        let events = try await events(job, inputs.connector, from: bounds.start, to: bounds.end)
        let meetings = Self.meetings(events, on: day, bounds)
        let (mail, source) = await mail(job, inputs.connector)
        let authored = await author.brief(
            BriefContext(
                user: job.lease.user, day: day, clock: clock, timeZone: inputs.preferences.timeZone,
                localTime: inputs.preferences.morningBriefLocalTime, meetings: meetings, mail: mail,
                requestID: job.lease.callID, traceparent: job.traceparent))
        let payload = Self.payload(authored.text, dueAt: job.dueAt)
        let sealer = Sealer(enclave: enclave, user: job.lease.user, context: job.context())
        let pushes = NewPushes(
            actionKey: job.idempotencyKey, kind: .morningBrief,
            expiresAt: job.expiresAt ?? job.dueAt.addingTimeInterval(Self.life),
            items: try await sealer.notifications(payload, for: inputs.devices))
        let brief = AuditBrief(
            source: "calendar", localTime: inputs.preferences.morningBriefLocalTime,
            meetings: min(meetings.count, Self.maximumMeetings),
            mailCandidates: mail.count, eventsFetched: events.count, mailContext: source,
            attestedMeasurement: enclave.attestedMeasurement)
        let audit = AuditEvent.workerMorningBriefOutput(
            job: job.lease.audit, brief: brief, author: authored.author)
        return .done(JobEffect(outcome: "notified", pushes: pushes, audits: [audit]))
    }

    private func events(
        _ job: ClaimedJob, _ connector: Connector, from: Date, to: Date
    ) async throws(JobStop) -> [CalendarEvent] {
        do throws(EnclaveCallError) {
            return try await CalendarReader(enclave: enclave).events(
                of: job.lease.user, connector, from: from, to: to, pages: 1, context: job.context()
            ).events
        } catch {
            throw JobStop(error, during: .calendar, with: connector)
        }
    }

    /// A brief without mail is still a brief.
    private func mail(_ job: ClaimedJob, _ connector: Connector) async -> (mail: [MailMaterial], source: String) {
        guard connector.hasGmail else { return ([], "not_granted") }
        let reader = MailReader(
            enclave: enclave, user: job.lease.user, connector: connector, context: job.context())
        do throws(EnclaveCallError) {
            let ids = try await reader.unread(days: 1, maximum: Self.maximumMail)
            return (try await reader.messages(Array(ids.prefix(Int(Self.maximumMail)))), "gmail")
        } catch {
            return ([], "unavailable")
        }
    }

    static func meetings(
        _ events: [CalendarEvent], on day: LocalDay, _ bounds: (start: Date, end: Date)
    ) -> [MeetingMaterial] {
        events.filter { $0.isPart(of: day, from: bounds.start, to: bounds.end) }.map { event in
            MeetingMaterial(
                id: event.id, title: event.title, start: event.start, end: event.end,
                attendeeCount: event.attendeeCount)
        }
    }

    static func payload(_ text: BriefText, dueAt: Date) -> PushPayload {
        let headline = ReminderText.line(text.headline)
        let parts: [String?] = [text.summary, text.priorities.first, text.schedule.first, text.alerts.first]
        let body = parts.compactMap { part in part.map { ReminderText.line($0) } }.filter { !$0.isEmpty }.joined(
            separator: " • ")
        return PushPayload(
            title: headline.isEmpty ? "Your morning brief" : ReminderText.cut(headline, to: maximumTitle, bytes: 512),
            body: ReminderText.cut(body, to: maximumBody, bytes: 1440), dueAt: dueAt)
    }
}
