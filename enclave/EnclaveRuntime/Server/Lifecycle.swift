internal import EnclaveProtocol
internal import Synchronization

/// Where an enclave is between its start and its end.
final class Lifecycle: Sendable {
    private struct State {
        var status = HealthAnswer.Status.starting
        /// Greatest id of a session that was opened while starting.
        var lastEarlySession: UInt64 = 0
    }

    private let state = Mutex(State())

    var status: HealthAnswer.Status { state.withLock { $0.status } }

    /// Everything that KMS had to open is open. Sessions up to `lastSession` rest on evidence signed by the key made at
    /// boot: they go on carrying `kms.credentials` only.
    func open(lastSession: UInt64) {
        state.withLock { state in
            guard state.status == .starting else { return }
            state.status = .ok
            state.lastEarlySession = lastSession
        }
    }

    func drain() { state.withLock { $0.status = .draining } }

    /// Whether `session` may call `method` now.
    func allows(_ method: Method, session: UInt64) -> Bool {
        state.withLock { state in
            switch state.status {
            case .starting: method == .kmsCredentials
            case .ok: method == .kmsCredentials || session > state.lastEarlySession
            case .draining: false
            }
        }
    }

    /// Whether the host behind `session` may be asked for records.
    func isEarly(session: UInt64) -> Bool {
        state.withLock { session <= $0.lastEarlySession || $0.status == .starting }
    }
}
