import EnclaveClient
import EnclaveProtocol
import Foundation
import HostStorage

/// CALENDAR_SCAN: finds the meetings ahead and keeps one reminder for each of them.
struct CalendarScanJob: JobHandler {
    let stores: WorkerStores
    let enclave: any WorkerEnclave
    let interval: Duration
    let now: @Sendable () -> Date

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        let inputs = try await JobInputs(for: job.lease, from: stores)
        let lead = Double(inputs.preferences.meetingReminderMinutes) * 60
        let from = now()
        let to = from.addingTimeInterval(lead + 2 * (interval / .seconds(1)))
        let listing = try await list(job, inputs.connector, from, to)
        let meetings = remindable(listing.events, after: from)
        let pending = try await reading("REMINDERS_READ_FAILED") { () throws(StorageError) in
            try await stores.jobs.pendingReminders(of: job.lease.user, from: from, to: to)
        }
        let known = Dictionary(pending.map { ($0.key, $0.dueAt) }) { first, _ in first }
        let changed = meetings.filter { meeting in
            let due = meeting.startDate.addingTimeInterval(-lead)
            return known[meeting.jobKey].map { !Self.isSame($0, due, now: from) } ?? true
        }
        let reminders = try await sealed(changed, lead, job)
        let sweep = ReminderSweep(from: from, to: to, keep: meetings.map(\.jobKey))
        return .done(
            JobEffect(outcome: "no_notification", reminders: reminders, sweep: listing.isComplete ? sweep : nil))
    }

    private func list(
        _ job: ClaimedJob, _ connector: Connector, _ from: Date, _ to: Date
    ) async throws(JobStop) -> CalendarListing {
        do throws(EnclaveCallError) {
            return try await CalendarReader(enclave: enclave).events(
                of: job.lease.user, connector, from: from, to: to, context: job.context())
        } catch {
            throw JobStop(error, during: .calendar, with: connector)
        }
    }

    /// The meetings to remind of, each once.
    private func remindable(_ events: [CalendarEvent], after moment: Date) -> [MeetingPayload] {
        var seen: Set<String> = []
        return events.compactMap { event in
            guard event.isRemindable, let start = event.start, start > moment, let meeting = MeetingPayload(event),
                seen.insert(meeting.jobKey).inserted
            else { return nil }
            return meeting
        }
    }

    /// Two due times mean the same when they are the same instant, or both past.
    private static func isSame(_ old: Date, _ new: Date, now: Date) -> Bool {
        abs(old.timeIntervalSince(new)) < 0.001 || (old <= now && new <= now)
    }

    private func sealed(
        _ meetings: [MeetingPayload], _ lead: Double, _ job: ClaimedJob
    ) async throws(JobStop) -> [NewJob] {
        let drafts = meetings.map { (id: UUID.timeOrdered(), meeting: $0) }
        let sealer = Sealer(enclave: enclave, user: job.lease.user, context: job.context())
        let sealed = try await sealer.seal(drafts.map { ($0.id, $0.meeting) }, as: .jobPayload)
        return zip(drafts, sealed.contents).map { draft, content in
            NewJob(
                id: draft.id, user: job.lease.user, type: .meetingReminder, idempotencyKey: draft.meeting.jobKey,
                dueAt: draft.meeting.startDate.addingTimeInterval(-lead), expiresAt: draft.meeting.startDate,
                sealedPayload: content, sealedKeyVersion: sealed.keyVersion, requestID: job.lease.requestID,
                traceparent: job.traceparent)
        }
    }
}
