import EnclaveClient
import EnclaveProtocol
import Foundation
import HostStorage
import LLMGateway
import Push
import Testing

@testable import JobWorker

/// Says that every mail is urgent.
private struct AlarmedAuthor: NotificationAuthor {
    func brief(_ context: BriefContext) async -> Authored<BriefText> {
        await ModelAuthor(CapabilityRunner(model: nil)).brief(context)
    }

    func verdict(_ context: MailCheckContext) async -> MailJudgement {
        let verdict = MailVerdict(
            shouldNotify: true, urgency: .critical, summary: "\(context.candidates.count) urgent",
            reason: "r", actions: ["Answer now", "Later"])
        return MailJudgement(
            urgent: [verdict], verdict: verdict, source: .model, judged: context.candidates.map { _ in true },
            audit: nil)
    }
}

@Suite(.serialized, .freshDatabase) struct NotificationJobTests {
    private static let both = [GoogleScope.calendar, GoogleScope.gmail]

    /// Google with these events and these unread messages.
    private static func google(events: [String], mail: [String]) -> ScriptedEnclave {
        ScriptedEnclave { resource throws(EnclaveCallError) in
            switch resource {
            case .calendarEvents: return ScriptedEnclave.page(events)
            case .gmailMessages:
                let ids = mail.map { #"{"id":"\#($0)"}"# }.joined(separator: ",")
                return answer(#"{"messages":[\#(ids)]}"#)
            case .gmailMetadata(let id):
                if id == "broken" { throw .failed(EnclaveFailure(.providerUnavailable)) }
                return answer(
                    #"{"id":"\#(id)","snippet":"s","payload":{"headers":[{"name":"From","value":"a@b"}]}}"#)
            }
        }
    }

    private static func answer(_ json: String) -> GoogleGetAnswer {
        GoogleGetAnswer(status: 200, body: Array(json.utf8), retryAfterSeconds: nil)
    }

    private func makeDue(_ world: WorkerWorld, _ kind: String, ago seconds: Int = 0) async throws {
        try await world.database.sql(
            "update alfred.schedules set enabled = false where kind <> '\(kind)'")
        try await world.database.sql(
            "update alfred.schedules set next_run_at = now() - interval '\(seconds) seconds' where kind = '\(kind)'")
        try await world.database.sql("select pg_notify('alfred_jobs', '')")
    }

    private func ended(_ world: WorkerWorld, _ type: String, _ outcome: String) async throws {
        try await until {
            try await world.database.count("alfred.jobs where type = '\(type)' and outcome = '\(outcome)'") == 1
        }
    }

    @Test func aBriefTellsTheDayOnce() async throws {
        let soon = Date().addingTimeInterval(60)
        let world = try await WorkerWorld(
            Self.google(
                events: [
                    ScriptedEnclave.event("e1", "Design review", start: soon),
                    #"{"id":"e2","summary":"Holiday","start":{"date":"2000-01-01"},"end":{"date":"2999-01-01"}}"#,
                    #"{"id":"e3","status":"cancelled","start":{"date":"2000-01-01"},"end":{"date":"2999-01-01"}}"#,
                ], mail: ["m1", "m2"]))
        _ = try await world.connectedUser(devices: 2, scopes: Self.both)
        try await makeDue(world, "MORNING_BRIEF")
        try await world.withWorker {
            try await ended(world, "MORNING_BRIEF", "notified")
            try await makeDue(world, "MORNING_BRIEF")
            try await until { world.push.shown.count == 2 }
        }
        #expect(world.push.shown.count == 2)
        let message = try #require(world.push.messages.first)
        #expect(message.title == "Your day at a glance")
        #expect(message.body.hasPrefix("You have 2 meetings today. 2 recent emails may need attention."))
        #expect(message.body.contains("All day - Holiday"))
        #expect(
            try await world.database.count(
                "alfred.audit_events where event_type = 'AI_WORKER_MORNING_BRIEF_OUTPUT'") == 1)
    }

    @Test func aBriefWithoutMailIsStillABrief() async throws {
        let world = try await WorkerWorld(Self.google(events: [], mail: ["broken"]))
        _ = try await world.connectedUser(scopes: Self.both)
        try await makeDue(world, "MORNING_BRIEF")
        try await world.withWorker { try await ended(world, "MORNING_BRIEF", "notified") }
        #expect(
            try await world.database.text(
                "select redacted_metadata->>'urgent_email_context_source' from alfred.audit_events where event_type like 'AI_%'"
            ) == "unavailable")
    }

    @Test func urgentMailIsShownOnceAndWhatFailedIsTriedAgain() async throws {
        let world = try await WorkerWorld(
            Self.google(events: [], mail: ["m1", "broken", "m2"]), author: AlarmedAuthor())
        _ = try await world.connectedUser(scopes: Self.both)
        try await makeDue(world, "URGENT_EMAIL_CHECK")
        try await world.withWorker {
            try await ended(world, "URGENT_EMAIL_CHECK", "notified")
            try await until { world.push.shown.count == 1 }
            #expect(world.push.messages.first?.title == "Critical email")
            #expect(world.push.messages.first?.body == "2 urgent • Answer now")
            #expect(try await world.database.count("alfred.email_seen") == 2)
            world.enclave.follow { resource throws(EnclaveCallError) in
                guard case .gmailMessages = resource else { throw .failed(EnclaveFailure(.providerUnavailable)) }
                return Self.answer(#"{"messages":[{"id":"m1"},{"id":"m2"}]}"#)
            }
            try await makeDue(world, "URGENT_EMAIL_CHECK", ago: 5)
            try await ended(world, "URGENT_EMAIL_CHECK", "skipped:no_new_candidates")
        }
        #expect(world.push.shown.count == 1)
    }

    @Test func withoutAModelNoMailIsJudgedAndNoneIsForgotten() async throws {
        let world = try await WorkerWorld(Self.google(events: [], mail: ["m1"]))
        _ = try await world.connectedUser(scopes: Self.both)
        try await makeDue(world, "URGENT_EMAIL_CHECK")
        try await world.withWorker { try await ended(world, "URGENT_EMAIL_CHECK", "no_notification") }
        #expect(try await world.database.count("alfred.email_seen") == 0)
        #expect(world.push.shown.isEmpty)
    }

    @Test func aTestNotificationReachesEveryDeviceInQuietHours() async throws {
        let world = try await WorkerWorld(ScriptedEnclave(events: []))
        let (user, _) = try await world.connectedUser(devices: 2)
        try await world.database.sql(
            "update alfred.user_preferences set quiet_hours_start = '00:00', quiet_hours_end = '23:59'")
        try await world.enqueueTest(for: user, title: "Hello", body: "It works.")
        try await world.withWorker { try await until { world.push.shown.count == 2 } }
        #expect(world.push.messages.allSatisfy { $0.title == "Hello" && $0.body == "It works." })
    }

    @Test func aTestNotificationWithoutADeviceIsADeadLetter() async throws {
        let world = try await WorkerWorld(ScriptedEnclave(events: []))
        let (user, _) = try await world.connectedUser()
        try await world.database.sql("update alfred.devices set disabled_at = now()")
        try await world.enqueueTest(for: user, title: "Hello", body: "It works.")
        try await world.withWorker {
            try await until {
                try await world.database.text("select reason_code from alfred.dead_letter_jobs")
                    == "NO_REGISTERED_DEVICE"
            }
        }
    }

    @Test func aGrantThatDiesInMidRunIsToldOnceAndStopsTheSchedules() async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave { _ throws(EnclaveCallError) in throw .failed(EnclaveFailure(.reconnectRequired)) })
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { world.push.shown.count == 1 }
        }
        #expect(world.push.messages.first?.title == "Reconnect Google")
        #expect(try await world.database.text("select status from alfred.connectors") == "RECONNECT_REQUIRED")
        #expect(try await world.database.count("alfred.schedules where enabled") == 0)
        #expect(try await world.database.count("alfred.jobs where type = 'CONNECTOR_NOTICE'") == 1)
    }

    @Test func aNoticeIsSkippedOnceTheConnectorWorksAgain() async throws {
        let world = try await WorkerWorld(ScriptedEnclave(events: []))
        let (user, connector) = try await world.connectedUser()
        let key = "CONNECTOR_NOTICE:\(connector.uuidString.lowercased()):1"
        _ = try await world.stores.jobs.enqueue(
            NewJob(id: UUID(), user: user, type: .connectorNotice, idempotencyKey: key))
        try await world.withWorker { try await ended(world, "CONNECTOR_NOTICE", "skipped:reconnected") }
        #expect(world.push.shown.isEmpty)
    }
}
