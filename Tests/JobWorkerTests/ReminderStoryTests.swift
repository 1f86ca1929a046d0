import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import Push
import Synchronization
import Testing

@testable import JobWorker

/// From the calendar to the phone, on a real database.
@Suite(.serialized, .freshDatabase) struct ReminderStoryTests {
    private let soon = Date().addingTimeInterval(14 * 60)

    private func world(
        _ events: [String]? = nil, push: RecordingPush = RecordingPush()
    ) async throws -> WorkerWorld {
        let events = events ?? [ScriptedEnclave.event("e1", "Design review", start: soon)]
        return try await WorkerWorld(ScriptedEnclave(events: events), push: push)
    }

    @Test func findsAMeetingAndNotifiesEveryDeviceOnce() async throws {
        let world = try await world()
        _ = try await world.connectedUser(devices: 2)
        try await world.withWorker {
            try await until {
                try await world.database.count("alfred.push_outbox where state = 'DELIVERED'") == 2
            }
        }
        #expect(world.push.messages.count == 2)
        #expect(Set(world.push.messages.map(\.deviceToken)) == ["token-phone-0", "token-phone-1"])
        #expect(world.push.messages.allSatisfy { $0.title == "Meeting in 14 min" })
        #expect(world.push.messages.allSatisfy { $0.body.hasPrefix("Design review at ") })
        #expect(try await world.database.count("alfred.jobs where state = 'DONE'") == 2)
        #expect(
            try await world.database.count("alfred.audit_events where event_type = 'NOTIFICATION_DELIVERY_ATTEMPT'")
                == 2)
        #expect(world.metrics.value(of: .jobsFinished, [.type: "MEETING_REMINDER", .result: "done"]) == 1)
        #expect(world.metrics.value(of: .pushes, [.kind: "meeting_reminder", .outcome: "delivered"]) == 2)
    }

    @Test func keepsContentOutOfTheLog() async throws {
        let world = try await world()
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { world.lines.withLock { $0.contains { $0.contains("push_finished") } } }
        }
        let log = world.lines.withLock { $0.joined() }
        #expect(!log.contains("Design") && !log.contains("token-phone") && !log.contains("\"e1\""))
    }

    @Test func remindsOnlyOfMeetingsThatAreStillThere() async throws {
        let world = try await world([])
        let (user, _) = try await world.connectedUser()
        try await world.enqueueReminder(
            for: user, MeetingPayload(eventID: "gone", title: "Gone", start: soon.wholeSeconds, end: nil))
        try await world.withWorker {
            try await until {
                // The reminder sees for itself, or the scan sweeps it away first.
                try await world.database.count(
                    "alfred.jobs where type = 'MEETING_REMINDER' and outcome is distinct from 'skipped:event_changed'")
                    == 0
            }
        }
        #expect(world.push.messages.isEmpty)
    }

    @Test func remindsOfAMeetingWithoutLength() async throws {
        let start = Date(timeIntervalSince1970: Double(soon.wholeSeconds))
        let world = try await WorkerWorld(
            ScriptedEnclave { resource throws(EnclaveCallError) in
                // As Google: the end is to lie after the beginning of the window, the start before its end.
                guard case .calendarEvents(let from, let to, _, _) = resource,
                    let from = try? Date(from, strategy: .iso8601), let to = try? Date(to, strategy: .iso8601),
                    start > from, start < to
                else { return ScriptedEnclave.page([]) }
                return ScriptedEnclave.page([ScriptedEnclave.event("e1", "Call", start: start)])
            })
        let (user, _) = try await world.connectedUser()
        try await world.enqueueReminder(
            for: user, MeetingPayload(eventID: "e1", title: "Call", start: start.wholeSeconds, end: start.wholeSeconds))
        try await world.withWorker { try await until { !world.push.messages.isEmpty } }
        let recheck = try await world.database.text(
            "select redacted_metadata->>'calendar_recheck' from alfred.audit_events where event_type = 'JOB_ACTION_GENERATED'"
        )
        #expect(recheck == "confirmed")
    }

    @Test func waitsWhenTheUserChoseAShorterTime() async throws {
        let world = try await world()
        let (user, _) = try await world.connectedUser()
        try await world.database.sql("update alfred.user_preferences set meeting_reminder_minutes = 5")
        try await world.database.sql("update alfred.schedules set enabled = false")
        try await world.enqueueReminder(
            for: user, MeetingPayload(eventID: "e1", title: "Design review", start: soon.wholeSeconds, end: nil))
        try await world.withWorker {
            try await until {
                try await world.database.count(
                    """
                    alfred.jobs where state = 'PENDING' and attempts = 0 and lease_token = 1
                        and due_at = to_timestamp(\(soon.wholeSeconds - 300))
                    """) == 1
            }
        }
        #expect(world.push.messages.isEmpty)
    }

    @Test func remindsFromMemoryWhenTheCalendarIsAway() async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave { _ throws(EnclaveCallError) in
                throw .failed(EnclaveFailure(.providerUnavailable, providerStatus: 503))
            })
        let (user, _) = try await world.connectedUser()
        try await world.enqueueReminder(
            for: user, MeetingPayload(eventID: "e", title: "From memory", start: soon.wholeSeconds, end: nil))
        try await world.withWorker {
            try await until { !world.push.messages.isEmpty }
        }
        #expect(world.push.messages.first?.body.hasPrefix("From memory at ") == true)
        let recheck = try await world.database.text(
            "select redacted_metadata->>'calendar_recheck' from alfred.audit_events where event_type = 'JOB_ACTION_GENERATED'"
        )
        #expect(recheck == "unavailable")
    }

    @Test func movesAndDropsRemindersWithTheirMeetings() async throws {
        let later = Date().addingTimeInterval(20 * 60)
        let enclave = ScriptedEnclave(events: [
            ScriptedEnclave.event("moves", "a", start: later), ScriptedEnclave.event("goes", "b", start: later),
        ])
        let world = try await WorkerWorld(enclave)
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { try await world.database.count("alfred.jobs where state = 'PENDING'") == 2 }
            let moved = later.addingTimeInterval(60)
            enclave.follow { _ throws(EnclaveCallError) in
                ScriptedEnclave.page([ScriptedEnclave.event("moves", "a", start: moved)])
            }
            try await world.database.sql("update alfred.schedules set next_run_at = now() - interval '1 hour'")
            try await world.database.sql("select pg_notify('alfred_jobs', '')")
            try await until {
                let keys = try await world.database.text(
                    "select string_agg(idempotency_key, ' ') from alfred.jobs where state = 'PENDING'")
                return keys?.hasSuffix(":\(moved.wholeSeconds)") == true && keys?.contains(" ") == false
            }
        }
    }

    @Test func marksAConnectorThatMustBeConnectedAgain() async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave { _ throws(EnclaveCallError) in throw .failed(EnclaveFailure(.reconnectRequired)) })
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until {
                try await world.database.text("select outcome from alfred.jobs")
                    == "skipped:connector_reconnect_required"
            }
        }
        #expect(try await world.database.text("select status from alfred.connectors") == "RECONNECT_REQUIRED")
        #expect(try await world.database.count("alfred.schedules where enabled") == 0)
    }

    @Test func showsNothingInQuietHours() async throws {
        let world = try await world()
        _ = try await world.connectedUser()
        try await world.database.sql(
            "update alfred.user_preferences set quiet_hours_start = '00:00', quiet_hours_end = '23:59', time_zone = 'UTC'"
        )
        // The one minute of the day that is not quiet would make this test lie.
        let clock = Calendar.current.dateComponents(in: .gmt, from: Date())
        guard clock.hour != 23 || (clock.minute ?? 0) < 57 else { return }
        try await world.withWorker {
            try await until {
                try await world.database.count("alfred.push_outbox where state = 'SUPPRESSED'") == 1
            }
        }
        #expect(world.push.messages.isEmpty)
        #expect(
            try await world.database.count("alfred.audit_events where event_type = 'NOTIFICATION_SUPPRESSED'") == 1)
    }

    @Test func disablesADeviceThatIsGone() async throws {
        let push = RecordingPush { _ in .refused(code: "APNS_HTTP_410", deviceIsGone: true) }
        let world = try await world(push: push)
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until {
                try await world.database.count("alfred.push_outbox where state = 'FAILED'") == 1
            }
        }
        #expect(try await world.database.text("select disabled_reason from alfred.devices") == "unregistered")
        #expect(push.messages.count == 1)
    }

    @Test func repeatsATransientSendWithTheSameID() async throws {
        let push = RecordingPush { _ in .transient(code: "APNS_HTTP_503", retryAfter: nil) }
        let world = try await world(push: push)
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { !push.messages.isEmpty }
            push.follow { _ in .delivered }
            try await until {
                try await world.database.count("alfred.push_outbox where state = 'DELIVERED'") == 1
            }
        }
        #expect(push.messages.count == 2 && push.shown.count == 1)
    }
}
