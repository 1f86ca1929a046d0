public import EnclaveProtocol
internal import Synchronization

/// A call to make over a session.
public struct OutgoingCall: Sendable {
    /// What to call.
    public let method: Method
    /// Encoding of the method's request message.
    public let body: [UInt8]
    /// When to stop waiting; the peer is told the time that is left, at most `Limits.maximumDeadlineMilliseconds`.
    public let deadline: MonotonicInstant
    /// 1–128 characters of `[A-Za-z0-9._-]`.
    public let requestID: String
    /// W3C trace context, or nil.
    public let traceparent: String?

    /// A call.
    public init(
        method: Method, body: [UInt8], deadline: MonotonicInstant, requestID: String, traceparent: String? = nil
    ) {
        self.method = method
        self.body = body
        self.deadline = deadline
        self.requestID = requestID
        self.traceparent = traceparent
    }
}

/// A call that the peer made.
public struct IncomingCall: Sendable {
    /// Raw number of the method; a number outside `Method` is to be answered `unknownMethod`.
    public let method: UInt16
    /// Encoding of the method's request message, not looked at yet.
    public let body: [UInt8]
    /// When the caller stops waiting.
    public let deadline: MonotonicInstant
    /// 1–128 characters of `[A-Za-z0-9._-]`.
    public let requestID: String
    /// W3C trace context, or nil.
    public let traceparent: String?
    /// Tells when the caller no longer wants the answer.
    public let cancellation: CallCancellation
}

/// Tells a handler that the caller cancelled, its deadline passed or the session ended.
public final class CallCancellation: Sendable {
    private struct State {
        var isCancelled = false
        var actions: [@Sendable () -> Void] = []
    }
    private let state = Mutex(State())

    /// Not cancelled yet.
    public init() {}

    /// Whether the answer is no longer wanted.
    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Runs `action` once on cancellation, on the session's I/O thread; at once when it already happened.
    public func onCancel(_ action: @escaping @Sendable () -> Void) {
        let late = state.withLock { state in
            if !state.isCancelled { state.actions.append(action) }
            return state.isCancelled
        }
        if late { action() }
    }

    func cancel() {
        let actions = state.withLock { state in
            state.isCancelled = true
            defer { state.actions = [] }
            return state.actions
        }
        for action in actions { action() }
    }
}

/// Why a call has no answer.
public enum CallFailure: Error, Equatable, Sendable {
    /// The peer answered with an error.
    case refused(EnclaveFailure)
    /// The deadline passed.
    case timedOut
    /// `Session.cancel` was called.
    case cancelled
    /// The session ended before the answer came; whether the call was carried out is unknown.
    case sessionEnded
    /// The request exceeds `Limits.maximumMessageBytes`.
    case tooLarge
    /// The session is too old for a new call; nothing was sent.
    case sessionExpired
    /// As many calls are in flight as `Limits` allow; nothing was sent.
    case tooManyInFlight
}

/// Names one call of one session, for cancelling it.
public struct CallHandle: Hashable, Sendable {
    let callID: UInt32
}

/// Carries out the calls that come in over sessions.
public protocol CallHandler: Sendable {
    /// Takes a call; runs on the session's I/O thread, so it must not block.
    ///
    /// Answers through `reply`, once, from any thread; further answers are ignored. Every call must be answered,
    /// cancelled ones too. An answer given before this returns is sent together with those of the same turn.
    func received(
        _ call: IncomingCall, on session: Session, reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void)

    /// Told once per session when it is over, on its I/O thread.
    func ended(_ session: Session, reason: SessionEnd)
}

/// A handler for sessions over which the peer is not supposed to call: it answers `unknownMethod`.
public struct RefusingHandler: CallHandler {
    /// A handler without state.
    public init() {}

    public func received(
        _ call: IncomingCall, on session: Session, reply: @escaping @Sendable (Result<[UInt8], EnclaveFailure>) -> Void
    ) {
        reply(.failure(EnclaveFailure(.unknownMethod)))
    }

    public func ended(_ session: Session, reason: SessionEnd) {}
}
