internal import AttestedSession
internal import EnclaveProtocol
internal import EnclaveVault
internal import Synchronization

/// Puts records until a host has answered: what was received from Google must not be lost with a session.
final class RecordWriter: Sendable {
    /// Longest time that a put stays pending, in seconds.
    static let pendingSeconds = 3600

    private let vault: TokenVault
    private let pause: @Sendable (_ milliseconds: Int) -> Void
    private let latest = Mutex(MonotonicInstant.distantFuture)

    init(vault: TokenVault, pause: @escaping @Sendable (Int) -> Void) {
        self.vault = vault
        self.pause = pause
    }

    /// At shutdown: whatever is still pending then is given up.
    func giveUp(at instant: MonotonicInstant) { latest.withLock { $0 = instant } }

    /// Puts `record` over the version before it, again and again over any open session until one has answered.
    func put(
        _ record: StoredRecord, _ reference: ConnectorReference, _ port: any RecordPort
    ) throws(EnclaveFailure) -> PutOutcome {
        let deadline = MonotonicInstant.now.advanced(bySeconds: Self.pendingSeconds)
        var wait = 100
        while true {
            if let outcome = try? vault.put(
                record, user: reference.user, connector: reference.connector, port: port)
            {
                return outcome
            }
            guard MonotonicInstant.now < min(deadline, latest.withLock { $0 }) else {
                throw EnclaveFailure(.recordPortFailed)
            }
            pause(wait)
            wait = min(wait * 2, 2000)
        }
    }
}
