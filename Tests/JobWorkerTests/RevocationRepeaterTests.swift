import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import Testing

@testable import JobWorker

/// Revocations that the API began and did not end.
@Suite(.serialized, .freshDatabase) struct RevocationRepeaterTests {
    private func begun(
        _ answer: Result<GoogleRevokeAnswer, EnclaveCallError>
    ) async throws -> (WorkerWorld, ScriptedEnclave, RevocationRepeater) {
        let enclave = ScriptedEnclave(events: [])
        enclave.answerRevocations(answer)
        let world = try await WorkerWorld(enclave)
        let (user, connector) = try await world.connectedUser()
        _ = try await world.stores.connectors.markRevoking(connector, of: user)
        let log = HostLog(process: .worker, sink: LogSink { _ in })
        return (world, enclave, RevocationRepeater(stores: world.stores, enclave: enclave, log: log))
    }

    private func status(_ world: WorkerWorld) async throws -> String? {
        try await world.database.text("select status from alfred.connectors")
    }

    @Test func finishesWhatItsCallerLeftAndAuditsIt() async throws {
        let (world, enclave, repeater) = try await begun(
            .success(GoogleRevokeAnswer(outcome: .revoked, recordVersion: 2)))
        await repeater.round()
        #expect(enclave.revocations == 0, "a young one may still be under way")
        await repeater.round(olderThan: .zero)
        #expect(try await status(world) == "REVOKED")
        #expect(try await world.database.count("alfred.audit_events where event_type = 'CONNECTOR_REVOKED'") == 1)
        await repeater.round(olderThan: .zero)
        #expect(enclave.revocations == 1)
    }

    @Test func aTombstoneMeansThatOnlyTheRecordingWasMissing() async throws {
        let (world, _, repeater) = try await begun(.failure(.failed(EnclaveFailure(.recordRevoked))))
        await repeater.round(olderThan: .zero)
        #expect(try await status(world) == "REVOKED")
    }

    @Test func staysRevokingWhileGoogleIsAway() async throws {
        let (world, _, repeater) = try await begun(.failure(.failed(EnclaveFailure(.providerUnavailable))))
        await repeater.round(olderThan: .zero)
        #expect(try await status(world) == "REVOKING")
    }
}

/// Rows that the database refuses to change.
@Suite(.serialized, .freshDatabase) struct PoisonedRowTests {
    @Test func aScheduleThatCannotBeSteppedKeepsNoJobFromRunning() async throws {
        let start = Date().addingTimeInterval(600)
        let world = try await WorkerWorld(
            ScriptedEnclave(events: [ScriptedEnclave.event("e1", "Design review", start: start)]))
        let (user, _) = try await world.connectedUser()
        try await world.database.sql(
            "alter table alfred.schedules add constraint poison check (last_run_at is null) not valid")
        try await world.enqueueReminder(
            for: user,
            MeetingPayload(
                eventID: "e1", title: "Design review", start: Int(start.timeIntervalSince1970.rounded(.down)), end: nil)
        )
        try await world.withWorker {
            try await until { try await world.database.count("alfred.push_outbox where state = 'DELIVERED'") == 1 }
        }
        try await world.database.sql("alter table alfred.schedules drop constraint poison")
    }
}
