internal import AttestedSession
internal import EnclaveProtocol
internal import Synchronization

/// The host's end of one session: hands callbacks on and tells its keeper when the session is over.
final class SessionLink: CallHandler {
    private let callbacks: CallbackServer
    private let onEnd: @Sendable (SessionLink, SessionEnd) -> Void
    private let end = Mutex<SessionEnd?>(nil)
    private let ends: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init(callbacks: CallbackServer, onEnd: @escaping @Sendable (SessionLink, SessionEnd) -> Void) {
        self.callbacks = callbacks
        self.onEnd = onEnd
        (ends, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var hasEnded: Bool { end.withLock { $0 != nil } }

    func received(
        _ call: IncomingCall, on session: Session, reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
    ) {
        callbacks.submit(call, reply: reply)
    }

    func ended(_ session: Session, reason: SessionEnd) {
        end.withLock { $0 = reason }
        onEnd(self, reason)
        signal.finish()
    }

    /// Waits until the session is over, or `limit` has passed, or the task is cancelled; to be called once.
    func waitForEnd(atMost limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in self.ends {} }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }
}
