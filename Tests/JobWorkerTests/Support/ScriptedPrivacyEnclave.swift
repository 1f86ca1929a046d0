import EnclaveClient
import EnclaveProtocol
import JobWorker
import Synchronization

/// An enclave that revokes and forgets as it is told, and remembers in which order it was asked.
final class ScriptedPrivacyEnclave: PrivacyEnclave {
    typealias Revocation = @Sendable (_ time: Int) async -> Result<UInt64, EnclaveCallError>

    private struct State {
        var calls: [String] = []
        var revoke: Revocation
        var forget: [EnclaveCallError]
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - failures: of the first calls of `vault.forget`, in order; then it succeeds.
    ///   - revoke: answers the tombstone's version, or fails.
    init(failures: [EnclaveCallError] = [], revoke: @escaping Revocation = { _ in .success(2) }) {
        state = Mutex(State(revoke: revoke, forget: failures))
    }

    /// `revoke` and `forget`, in the order they were asked for.
    var calls: [String] { state.withLock { $0.calls } }
    var isAvailable: Bool { true }
    var attestedMeasurement: String { "test" }

    func revokeGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRevokeAnswer {
        let (revoke, time) = state.withLock { state in
            state.calls.append("revoke")
            return (state.revoke, state.calls.count { $0 == "revoke" })
        }
        return GoogleRevokeAnswer(outcome: .revoked, recordVersion: try await revoke(time).get())
    }

    func refreshGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRefreshAnswer {
        throw .unreachable
    }

    func forget(user: UserID, context: CallContext) async throws(EnclaveCallError) {
        let failure = state.withLock { state in
            state.calls.append("forget")
            return state.forget.isEmpty ? nil : state.forget.removeFirst()
        }
        if let failure { throw failure }
    }
}
