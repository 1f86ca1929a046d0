import EnclaveClient
import EnclaveProtocol
import Foundation
import HostStorage

/// MEETING_REMINDER: looks once more at the meeting and notifies every device.
struct MeetingReminderJob: JobHandler {
    /// How long after its start a notification of a meeting may still be delivered, in seconds.
    static let afterStart = 300.0
    /// Limits of the two tries of reading the calendar: 5 seconds together.
    static let recheckLimits: [Duration] = [.seconds(3), .seconds(2)]
    /// How far before and after its start a meeting is looked for, in seconds. Google leaves out what ends by the
    /// window's beginning, so a meeting without length is not in a window that begins with it.
    static let recheckMargin = 60.0
    /// How much too early counts as in time, in seconds: clocks differ.
    static let early = 5.0

    let stores: WorkerStores
    let enclave: any WorkerEnclave
    let now: @Sendable () -> Date

    private enum Recheck {
        case confirmed(MeetingPayload)
        case changed
        case unavailable
    }

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        let inputs = try await JobInputs(for: job.lease, from: stores)
        guard let sealed = job.sealedPayload else {
            throw JobStop(.permanent(JobProblem(code: "JOB_PAYLOAD_UNREADABLE")))
        }
        let sealer = Sealer(enclave: enclave, user: job.lease.user, context: job.context())
        let remembered: MeetingPayload = try await sealer.open(sealed, of: job.lease.job)
        // The user may have chosen a shorter time since the scan.
        let due = remembered.startDate.addingTimeInterval(-Double(inputs.preferences.meetingReminderMinutes) * 60)
        guard due.timeIntervalSince(now()) <= Self.early else { return .postponed(until: due) }
        var action = AuditAction(source: "deterministic", attestedMeasurement: enclave.attestedMeasurement)
        let meeting: MeetingPayload
        switch try await recheck(remembered, job, inputs.connector) {
        case .confirmed(let current):
            meeting = current
            action.calendarRecheck = "confirmed"
        case .unavailable:
            meeting = remembered
            action.calendarRecheck = "unavailable"
        case .changed:
            action.calendarRecheck = "changed"
            let audit = AuditEvent.jobActionSkipped(
                job: job.lease.audit, action: action, outcome: "skipped", reason: "event_changed")
            return .skipped("event_changed", audits: [audit])
        }
        return try await notify(job, inputs, meeting, action, sealer)
    }

    private func notify(
        _ job: ClaimedJob, _ inputs: JobInputs, _ meeting: MeetingPayload, _ base: AuditAction, _ sealer: Sealer
    ) async throws(JobStop) -> JobResult {
        let text = ReminderText(
            meeting: meeting.title, start: meeting.startDate, now: now(),
            timeZone: TimeZone(identifier: inputs.preferences.timeZone) ?? .gmt)
        let payload = PushPayload(title: text.title, body: text.body, dueAt: job.dueAt)
        let items = try await sealer.notifications(payload, for: inputs.devices)
        var action = base
        action.leadMinutes = text.minutesLeft
        action.selectedEventID = meeting.eventID
        let pushes = NewPushes(
            actionKey: job.idempotencyKey, kind: .meetingReminder,
            expiresAt: meeting.startDate.addingTimeInterval(Self.afterStart), items: items)
        return .done(
            JobEffect(
                outcome: "notified", pushes: pushes,
                audits: [.jobActionGenerated(job: job.lease.audit, action: action)]))
    }

    /// Asks the calendar, twice if need be.
    private func recheck(
        _ meeting: MeetingPayload, _ job: ClaimedJob, _ connector: Connector
    ) async throws(JobStop) -> Recheck {
        for limit in Self.recheckLimits {
            do throws(EnclaveCallError) {
                let listing = try await CalendarReader(enclave: enclave).events(
                    of: job.lease.user, connector, from: meeting.startDate.addingTimeInterval(-Self.recheckMargin),
                    to: meeting.startDate.addingTimeInterval(Self.recheckMargin), context: job.context(deadline: limit))
                let current = listing.events.first { $0.id == meeting.eventID && $0.isRemindable }
                if let current, let found = MeetingPayload(current), found.start == meeting.start {
                    return .confirmed(found)
                }
                return listing.isComplete ? .changed : .unavailable
            } catch {
                guard Self.mayBeGoogle(error) else { throw JobStop(error, during: .calendar, with: connector) }
            }
        }
        return .unavailable
    }

    /// Whether a failure means that the calendar, not the enclave or the connector, cannot be read now.
    private static func mayBeGoogle(_ error: EnclaveCallError) -> Bool {
        if error == .timedOut || error == .failed(EnclaveFailure(.timedOut)) { return true }
        return EnclaveErrorMapping.job(error, during: .calendar).code.hasPrefix("GOOGLE_")
    }
}
