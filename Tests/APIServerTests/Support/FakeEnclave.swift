import EnclaveClient
import EnclaveProtocol
import Foundation
import HostStorage
import Synchronization

@testable import APIServer

/// An enclave that says what the test wants and stores records as the real one's record port does.
final class FakeEnclave: EnclavePort {
    struct Script: Sendable {
        var begin: EnclaveCallError?
        var complete: Result<GoogleConnectCompleteAnswer, EnclaveCallError> = .success(
            GoogleConnectCompleteAnswer(
                scopes: [GoogleScope.calendar, GoogleScope.gmail], recordVersion: 1, accountChanged: false))
        /// Runs when the new record is stored and before the call returns.
        var whenCompleted: (@Sendable () async -> Void)?
        var revoke: EnclaveCallError?
        var seal: EnclaveCallError?
        var open: EnclaveCallError?
        var relay: EnclaveCallError?
        var calendar: Result<GoogleGetAnswer, EnclaveCallError> = .success(
            GoogleGetAnswer(status: 200, body: Array("{}".utf8), retryAfterSeconds: nil))
    }

    private let records: SealedRecordRepository
    private let state = Mutex(
        (script: Script(), sealed: [DataItem](), revoked: 0, challenges: [Challenge](), asked: [GoogleResource]()))

    init(_ pool: PostgresPool) { records = SealedRecordRepository(pool) }

    func script(_ change: (inout Script) -> Void) { state.withLock { change(&$0.script) } }
    var sealed: [DataItem] { state.withLock { $0.sealed } }
    var revocations: Int { state.withLock { $0.revoked } }
    var asked: [GoogleResource] { state.withLock { $0.asked } }
    var challenges: [Challenge] { state.withLock { $0.challenges } }

    let attestedMeasurement = "dev-local-enclave"

    func health() async throws(EnclaveCallError) -> HealthAnswer {
        HealthAnswer(status: .ok, environment: "local", mode: "dev-shim", uptimeSeconds: 1)
    }

    func document() async throws(EnclaveCallError) -> DocumentAnswer {
        if let error = state.withLock({ $0.script.relay }) { throw error }
        let document = IdentityDocument(
            runtime: "nitro", environment: "local", measurement: "m", mode: "dev-shim", issuedAt: 7,
            sessionKey: [UInt8](repeating: 1, count: 32), signingKey: nil)
        return DocumentAnswer(document: document.encoded(), signature: nil, nsmDocument: nil)
    }

    func relayChallenge(_ challenge: Challenge) async throws(EnclaveCallError) -> ChallengeAnswer {
        let error = state.withLock { state in
            state.challenges.append(challenge)
            return state.script.relay
        }
        if let error { throw error }
        let evidence = Evidence(
            runtime: "nitro", environment: "local", measurement: "m", challenge: challenge, issuedAt: 9,
            random: [UInt8](repeating: 2, count: 32), sessionKey: [UInt8](repeating: 1, count: 32),
            signingKey: [UInt8](repeating: 3, count: 32))
        return ChallengeAnswer(
            evidence: evidence.encoded(), signature: [UInt8](repeating: 4, count: 64), nsmDocument: nil)
    }

    func beginGoogleConnect(
        _ request: GoogleConnectBegin, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleConnectBeginAnswer {
        if let error = state.withLock({ $0.script.begin }) { throw error }
        return GoogleConnectBeginAnswer(
            authorizationURL: "https://accounts.test/auth?state=\(request.state)&redirect_uri=\(request.redirectURI)",
            sealedVerifier: [1, 2, 3], keyVersion: 1)
    }

    func completeGoogleConnect(
        _ request: GoogleConnectComplete, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleConnectCompleteAnswer {
        let answer = try state.withLock { $0.script.complete }.get()
        let write = SealedRecordWrite(
            user: request.user.uuid, connector: request.connector.uuid, provider: .google,
            expectedVersion: Int64(answer.recordVersion) - 1, newVersion: Int64(answer.recordVersion), keyID: "k",
            keyVersion: 1, sealed: [7])
        switch try? await records.put(write) {
        case .stored: break
        case .conflict: throw .failed(EnclaveFailure(.recordConflict))
        case .refused: throw .failed(EnclaveFailure(.recordRefused))
        case nil: throw .failed(EnclaveFailure(.recordPortFailed))
        }
        await state.withLock({ $0.script.whenCompleted })?()
        return answer
    }

    func revokeGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRevokeAnswer {
        let error = state.withLock { state in
            state.revoked += 1
            return state.script.revoke
        }
        if let error { throw error }
        guard let record = try? await records.get(user: user.uuid, connector: connector.uuid) else {
            throw .failed(EnclaveFailure(.recordMissing))
        }
        guard record.sealed != [0] else { throw .failed(EnclaveFailure(.recordRevoked)) }
        let tombstone = SealedRecordWrite(
            user: user.uuid, connector: connector.uuid, provider: .google, expectedVersion: record.recordVersion,
            newVersion: record.recordVersion + 1, keyID: "k", keyVersion: 1, sealed: [0])
        guard case .stored? = try? await records.put(tombstone) else {
            throw .failed(EnclaveFailure(.recordConflict))
        }
        return GoogleRevokeAnswer(outcome: .revoked, recordVersion: UInt64(tombstone.newVersion))
    }

    func getGoogle(
        user: UserID, connector: ConnectorID, resource: GoogleResource, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleGetAnswer {
        try state.withLock { state in
            state.asked.append(resource)
            return state.script.calendar
        }.get()
    }

    /// Opens only what was sealed here, and only under the same purpose, owner, record and version.
    func open(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults {
        if let error = state.withLock({ $0.script.open }) { throw error }
        let known = sealed
        let results = items.map { item -> Result<[UInt8], EnclaveErrorCode> in
            let content: [UInt8] = item.content.reversed()
            let isOwn = known.contains {
                $0.purpose == item.purpose && $0.user == item.user && $0.recordID == item.recordID
                    && $0.recordVersion == item.recordVersion && $0.content == content
            }
            return isOwn ? .success(content) : .failure(.sealedDataRejected)
        }
        return DataResults(results, keyVersion: 1)
    }

    func seal(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults {
        let error = state.withLock { state in
            state.sealed += items
            return state.script.seal
        }
        if let error { throw error }
        return DataResults(items.map { .success($0.content.reversed()) }, keyVersion: 1)
    }
}
