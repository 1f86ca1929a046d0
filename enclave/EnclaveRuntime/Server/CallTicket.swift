internal import AttestedSession
internal import EnclaveProtocol
internal import Synchronization

/// One call on its way through the enclave; it is answered, logged and counted exactly once.
final class CallTicket: Sendable {
    let call: IncomingCall
    let method: Method
    let role: Role
    let session: Session
    private let started = MonotonicInstant.now
    private let reply: Mutex<(@Sendable (Result<[UInt8], EnclaveFailure>) -> Void)?>
    private let rounds = Mutex(0)
    private let finished: @Sendable (CallTicket, String, Int) -> Void

    init(
        _ call: IncomingCall, method: Method, role: Role, session: Session,
        reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void,
        finished: @escaping @Sendable (CallTicket, _ result: String, _ milliseconds: Int) -> Void
    ) {
        self.call = call
        self.method = method
        self.role = role
        self.session = session
        self.reply = Mutex(reply)
        self.finished = finished
    }

    /// Whether the caller still waits.
    var isWanted: Bool { !call.cancellation.isCancelled && call.deadline > .now }

    /// Counts one more run of the operation; false after `limit`.
    func takeRound(of limit: Int) -> Bool {
        rounds.withLock { rounds in
            rounds += 1
            return rounds <= limit
        }
    }

    /// Answers, the first time it is called.
    func finish(_ result: Result<[UInt8], EnclaveFailure>) {
        guard let reply = reply.withLock({ $0.take() }) else { return }
        let name =
            switch result {
            case .success: "ok"
            case .failure(let failure): failure.code.name
            }
        // Its place is free before the caller hears of it, who may call again at once.
        finished(self, name, MonotonicInstant.now.milliseconds(after: started))
        reply(result)
    }
}
