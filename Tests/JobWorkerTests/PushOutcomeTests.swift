import Foundation
import HostRuntime
import Push
import Testing

@testable import HostStorage
@testable import JobWorker

/// What the push service's answers do to notification and device, on a real database.
@Suite(.serialized, .freshDatabase) struct PushOutcomeTests {
    /// A worker whose only notification is answered so, until its row is as told.
    private func world(_ answer: PushAnswer, until row: String) async throws -> WorkerWorld {
        let event = ScriptedEnclave.event("e1", "Design review", start: Date().addingTimeInterval(14 * 60))
        let world = try await WorkerWorld(
            ScriptedEnclave(events: [event]), push: RecordingPush { _ in answer })
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { try await world.database.count("alfred.push_outbox where \(row)") == 1 }
        }
        return world
    }

    private func isDisabled(_ world: WorkerWorld) async throws -> Bool {
        try await world.database.count("alfred.devices where disabled_at is not null") == 1
    }

    @Test func aDeviceRegisteredAfterItsTokenDiedStays() async throws {
        let old = PushAnswer.unregistered(code: "APNS_UNREGISTERED", since: Date(timeIntervalSinceNow: -3600))
        let world = try await world(old, until: "state = 'FAILED' and last_error_code = 'APNS_UNREGISTERED'")
        #expect(try await !isDisabled(world))
    }

    @Test func aDeviceWhoseTokenDiedSinceItRegisteredIsDisabled() async throws {
        let since = Date(timeIntervalSinceNow: 60)
        let world = try await world(.unregistered(code: "APNS_UNREGISTERED", since: since), until: "state = 'FAILED'")
        #expect(try await isDisabled(world))
        #expect(world.metrics.value(of: .devicesDisabled, [.reason: "unregistered"]) == 1)
    }

    @Test func aDeviceGoneSinceAnUnknownTimeIsDisabled() async throws {
        let world = try await world(.unregistered(code: "APNS_UNREGISTERED", since: nil), until: "state = 'FAILED'")
        #expect(try await isDisabled(world))
    }

    @Test func aTokenThatNobodyKnowsDisablesItsDevice() async throws {
        let world = try await world(
            .tokenRejected(code: "APNS_BADDEVICETOKEN", isStorm: false), until: "state = 'FAILED'")
        #expect(try await isDisabled(world))
    }

    @Test func noDeviceIsDisabledInAStormOfRejections() throws {
        let push = ClaimedPush(
            lease: PushLease(id: UUID(), user: UUID(), token: 1), kind: .test, actionKey: "a", sealedPayload: [],
            payloadKeyVersion: 1, ignoreQuietHours: true, expiresAt: Date(), attempt: 1, device: UUID(),
            deviceIdentifier: "phone", environment: .sandbox, sealedToken: [], tokenKeyVersion: 1,
            tokenRegisteredAt: Date(), isDeviceDisabled: false, job: nil, requestID: nil)
        for isStorm in [true, false] {
            let outcome = PushSending.outcome(
                of: .tokenRejected(code: "APNS_BADDEVICETOKEN", isStorm: isStorm), for: push)
            guard case .failed("APNS_BADDEVICETOKEN", let reason, _) = outcome else {
                Issue.record("not failed")
                return
            }
            #expect(reason == (isStorm ? nil : "bad_token"))
        }
    }

    @Test func whatTheOtherEnvironmentDeliversCorrectsTheDevice() async throws {
        let world = try await world(.deliveredElsewhere, until: "state = 'DELIVERED'")
        #expect(world.push.messages.count == 1)
        let audited = "alfred.audit_events where event_type = 'DEVICE_ENVIRONMENT_CORRECTED' and result = 'SUCCESS'"
        #expect(try await world.database.count(audited) == 1)
        let environments = """
            alfred.audit_events a join alfred.devices d on a.redacted_metadata->>'environment' = d.environment
            where a.event_type in ('DEVICE_ENVIRONMENT_CORRECTED', 'NOTIFICATION_DELIVERY_ATTEMPT')
            """
        #expect(try await world.database.count(environments) == 2)
        #expect(world.metrics.value(of: .pushes, [.kind: "meeting_reminder", .outcome: "delivered"]) == 1)
    }

    @Test func theOperatorsFaultCostsNoAttemptAndIsTriedAgainInAMinute() async throws {
        let world = try await world(
            .misconfigured(code: "APNS_TOPICDISALLOWED"),
            until: """
                state = 'PENDING' and attempts = 0 and last_error_code = 'APNS_TOPICDISALLOWED'
                and next_attempt_at between now() + interval '30 s' and now() + interval '60 s'
                """)
        #expect(try await !isDisabled(world))
        #expect(world.metrics.value(of: .pushes, [.kind: "meeting_reminder", .outcome: "operator_fault"]) == 1)
    }
}
