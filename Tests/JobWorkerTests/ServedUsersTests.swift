import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import Push
import Testing

@testable import HostStorage
@testable import JobWorker

/// Users who lost something between the making of a job and its run, workers that were away, deliveries that were none.
@Suite(.serialized, .freshDatabase) struct ServedUsersTests {
    private static let both = [GoogleScope.calendar, GoogleScope.gmail]
    private static let recurring: [JobType] = [.calendarScan, .morningBrief, .urgentEmailCheck]

    private func outcomes(_ world: WorkerWorld) async throws -> [String] {
        try await world.database.sql("select type || ' ' || coalesce(outcome, state) from alfred.jobs order by 1")
            .map { row throws(StorageError) in try row.text(0) }
    }

    /// One job of each kind that reads from Google, due now; the schedules make no others.
    private func enqueueAll(_ world: WorkerWorld, for user: UUID) async throws {
        try await world.database.sql("update alfred.schedules set enabled = false")
        for type in Self.recurring {
            _ = try await world.stores.jobs.enqueue(
                NewJob(id: UUID(), user: user, type: type, idempotencyKey: "\(type.rawValue):2026-11-25"))
        }
        let start = Int(Date().timeIntervalSince1970) + 600
        try await world.enqueueReminder(
            for: user, MeetingPayload(eventID: "e", title: "Review", start: start, end: nil))
    }

    private func skipped(_ reason: String) -> [String] {
        ["CALENDAR_SCAN", "MEETING_REMINDER", "MORNING_BRIEF", "URGENT_EMAIL_CHECK"].map { "\($0) skipped:\(reason)" }
    }

    @Test func nothingIsReadForAUserWhoseLastDeviceIsGone() async throws {
        let world = try await WorkerWorld(ScriptedEnclave(events: []))
        let (user, _) = try await world.connectedUser(scopes: Self.both)
        try await enqueueAll(world, for: user)
        try await world.database.sql("update alfred.devices set disabled_at = now()")
        try await world.withWorker {
            try await until { try await outcomes(world) == skipped("no_registered_device") }
        }
        #expect(world.enclave.reads == 0)
    }

    @Test func nothingIsReadWithAConnectorThatWasRevokedMeanwhile() async throws {
        let world = try await WorkerWorld(ScriptedEnclave(events: []))
        let (user, connector) = try await world.connectedUser(scopes: Self.both)
        try await enqueueAll(world, for: user)
        _ = try await world.stores.connectors.markRevoked(
            connector, of: user, version: 1, attestedMeasurement: "test")
        try await world.withWorker {
            try await until { try await outcomes(world) == skipped("connector_not_active") }
        }
        #expect(world.enclave.reads == 0 && world.push.messages.isEmpty)
    }

    /// The tombstone is there when the running job asks the enclave: skipped, not repeated, and nobody is told to
    /// reconnect what he revoked himself.
    @Test func aConnectorRevokedInMidRunEndsTheRunQuietly() async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave { _ throws(EnclaveCallError) in throw .failed(EnclaveFailure(.recordRevoked)) })
        let (user, _) = try await world.connectedUser(scopes: Self.both)
        try await enqueueAll(world, for: user)
        try await world.withWorker {
            try await until { try await world.database.count("alfred.jobs where state in ('PENDING', 'RUNNING')") == 0 }
        }
        let outcomes = try await outcomes(world)
        #expect(outcomes.filter { $0.hasSuffix("skipped:connector_not_active") }.count >= 3, "\(outcomes)")
        #expect(try await world.database.count("alfred.dead_letter_jobs") == 0)
        #expect(try await world.database.count("alfred.jobs where type = 'CONNECTOR_NOTICE'") == 0)
        #expect(!world.push.messages.contains { $0.kind == .connector })
    }

    /// Five days without a worker: one scan and one look at the mail, no brief of yesterday, and no more of it later.
    @Test func fiveDaysOfDowntimeAreNoBurst() async throws {
        let enclave = ScriptedEnclave { resource throws(EnclaveCallError) in
            guard case .gmailMessages = resource else { return ScriptedEnclave.page([]) }
            return GoogleGetAnswer(status: 200, body: Array(#"{"messages":[]}"#.utf8), retryAfterSeconds: nil)
        }
        // Long ones, so that no ordinary slot comes while this runs.
        let world = try await WorkerWorld(
            enclave, settings: ["SCHEDULE_CALENDAR_SCAN_SECONDS": "3600", "SCHEDULE_URGENT_EMAIL_SECONDS": "7200"])
        _ = try await world.connectedUser(scopes: Self.both)
        try await world.database.sql("update alfred.schedules set next_run_at = now() - interval '5 days'")
        let ended = "alfred.jobs where state = 'DONE'"
        for _ in 0..<2 {
            // A worker that starts again finds the rows as the last one left them.
            try await world.withWorker {
                try await until { try await world.database.count(ended) == 2 }
                try await until { try await world.stores.schedules.overdue().isEmpty }
            }
        }
        #expect(
            try await outcomes(world) == [
                "CALENDAR_SCAN no_notification", "URGENT_EMAIL_CHECK skipped:no_new_candidates",
            ])
        let missed = """
            alfred.audit_events where event_type = 'JOB_ACTION_SKIPPED'
                and redacted_metadata->>'reason' = 'missed_slot'
            """
        #expect(try await world.database.count(missed) == 1)
        #expect(try await world.database.count("alfred.schedules where next_run_at > now()") == 3)
        #expect(world.push.messages.isEmpty)
    }

    /// At its time a meeting is looked at once more.
    @Test(arguments: [
        #""status":"cancelled""#, #""attendees":[{"self":true,"responseStatus":"declined"}]"#,
        #""eventType":"focusTime""#, #""moved":true"#, #""all_day":true"#,
    ])
    func nobodyIsRemindedOfAMeetingThatIsNoneAnyMore(_ change: String) async throws {
        let start = Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down) + 600)
        let time = (change.contains("moved") ? start.addingTimeInterval(30) : start).formatted(.iso8601)
        let when = change.contains("all_day") ? #"{"date":"\#(time.prefix(10))"}"# : #"{"dateTime":"\#(time)"}"#
        let world = try await WorkerWorld(
            ScriptedEnclave(events: [#"{"id":"e","summary":"Review","start":\#(when),\#(change)}"#]))
        let (user, _) = try await world.connectedUser()
        try await world.database.sql("update alfred.schedules set enabled = false")
        let meeting = MeetingPayload(
            eventID: "e", title: "Review", start: Int(start.timeIntervalSince1970), end: nil)
        try await world.enqueueReminder(for: user, meeting)
        try await world.withWorker {
            try await until { try await outcomes(world) == ["MEETING_REMINDER skipped:event_changed"] }
        }
        #expect(world.push.messages.isEmpty)
    }

    /// That the access is gone matters in the morning too: held back until quiet hours end, at no attempt's cost.
    @Test func aNoticeOfALostConnectorWaitsForTheEndOfQuietHours() async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave { _ throws(EnclaveCallError) in throw .failed(EnclaveFailure(.reconnectRequired)) })
        let (user, _) = try await world.connectedUser()
        let quiet = "update alfred.user_preferences set quiet_hours_start = $1, quiet_hours_end = $2"
        let minute = Int(Date().timeIntervalSince1970) / 60 % 1440
        func clock(_ minute: Int) -> SQLValue { .text(String(format: "%02d:%02d", minute / 60 % 24, minute % 60)) }
        try await world.database.sql(quiet, [clock(minute + 1440 - 60), clock(minute + 120)])
        let held = """
            alfred.push_outbox where kind = 'connector' and state = 'PENDING' and attempts = 0
                and next_attempt_at between now() + interval '118 minutes' and now() + interval '120 minutes'
            """
        try await world.withWorker {
            try await until { try await world.database.count(held) == 1 }
            #expect(world.push.messages.isEmpty)
            try await world.database.sql(quiet, [clock(minute), clock(minute)])
            try await world.database.sql(
                "update alfred.push_outbox set next_attempt_at = now() where user_id = $1", [.uuid(user)])
            try await world.database.sql("select pg_notify('alfred_outbox', '')")
            try await until { world.push.messages.map(\.title) == ["Reconnect Google"] }
        }
    }

    @Test func aSimulatedDeliveryIsAuditedAsSimulated() async throws {
        let world = try await WorkerWorld(ScriptedEnclave(events: []), push: RecordingPush { _ in .simulated })
        let (user, _) = try await world.connectedUser()
        try await world.enqueueTest(for: user, title: "Hello", body: "It works.")
        try await world.withWorker {
            try await until { try await world.database.count("alfred.push_outbox where state = 'SIMULATED'") == 1 }
        }
        let audit = try await world.database.text(
            """
            select result || ' ' || (redacted_metadata->>'outcome') from alfred.audit_events
            where event_type = 'NOTIFICATION_DELIVERY_ATTEMPT'
            """)
        #expect(audit == "SUCCESS simulated")
        #expect(try await world.database.count("alfred.push_outbox where state = 'DELIVERED'") == 0)
        #expect(world.metrics.value(of: .pushes, [.kind: "test", .outcome: "simulated"]) == 1)
    }
}
