internal import CLinux
public import EnclaveProtocol
internal import Glibc
internal import Synchronization

/// An attested, encrypted connection on which both sides call each other; many calls at a time, answered in any order.
///
/// One thread reads. Any thread may call and answer: it seals under the session's lock and sends without blocking,
/// unless another thread is sending, which then takes its records along.
public final class Session: Sendable {
    typealias Completion = @Sendable (Result<[UInt8], CallFailure>) -> Void
    typealias Multiplexer = CallMultiplexer<Completion, CallCancellation>

    struct State: Sendable {
        var multiplexer: Multiplexer
        /// Gone when the session is over, and the sending key with it.
        var output: SealingBuffer?
        /// One thread, inside or about to enter `send`, owns the output.
        var isSending = false
        /// The socket takes nothing; the I/O thread waits until it does.
        var isBlocked = false
        /// Last progress of a blocked output.
        var blockedSince = MonotonicInstant.distantFuture
        /// Set once; the I/O thread then ends the session.
        var ending: SessionEnd?
        /// When the I/O thread wakes by itself.
        var wakesAt = MonotonicInstant.distantFuture
        /// Both -1 when closed.
        var socket: Int32
        var event: Int32
    }

    /// Number of this session in this process.
    public let id: UInt64
    /// X25519 key of the peer, as proven by the handshake.
    public let peerStaticKey: [UInt8]
    /// What the peer may do: set in the enclave only.
    public let role: Role?
    /// From then on the session takes no new call.
    public let expiresAt: MonotonicInstant

    let side: Multiplexer.Side
    let handler: any CallHandler
    let onEnd: @Sendable (Session) -> Void
    let state: Mutex<State>
    let ioThread = Atomic<UInt>(0)
    private static let lastID = Atomic<UInt64>(0)

    init(
        _ side: Multiplexer.Side, socket: Int32, output: SealingBuffer, peerStaticKey: [UInt8], role: Role?,
        expiresAt: MonotonicInstant, handler: any CallHandler,
        onEnd: @escaping @Sendable (Session) -> Void = { _ in }
    ) throws(SessionError) {
        self.side = side
        self.peerStaticKey = peerStaticKey
        self.role = role
        self.expiresAt = expiresAt
        self.handler = handler
        self.onEnd = onEnd
        id = Session.lastID.add(1, ordering: .relaxed).newValue
        let event = try Descriptor.makeEvent()
        state = Mutex(
            State(multiplexer: Multiplexer(side: side), output: output, socket: socket, event: event))
    }

    // MARK: Calls

    /// Starts a call; `completion` runs once: on the I/O thread, where it must not block, or at once when refused here.
    @discardableResult
    public func start(
        _ call: OutgoingCall, completion: @escaping @Sendable (Result<[UInt8], CallFailure>) -> Void
    ) -> CallHandle {
        let now = MonotonicInstant.now
        let remaining = call.deadline.milliseconds(after: now)
        guard remaining > 0 else { return refuse(.timedOut, completion) }
        let longest = Int(Limits.maximumDeadlineMilliseconds)
        let envelope = CallEnvelope(
            method: call.method.rawValue, deadlineMilliseconds: UInt32(min(remaining, longest)),
            requestID: call.requestID, traceparent: call.traceparent, body: call.body)
        var writer = CBORWriter(capacity: call.body.count + 256)
        envelope.write(to: &writer)
        let bytes = writer.bytes
        let deadline = min(call.deadline, now.advanced(byMilliseconds: longest))
        let onIOThread = isOnIOThread
        let result: Result<UInt32, CallFailure> = state.withLock { state in
            guard state.ending == nil else { return .failure(.sessionEnded) }
            // Callbacks of calls that are under way still go out.
            guard now < expiresAt || side == .enclave && state.multiplexer.callsServed > 0 else {
                return .failure(.sessionExpired)
            }
            let result = state.multiplexer.start(bytes, waiter: completion, deadline: deadline)
            if !onIOThread, state.multiplexer.nextDeadline < state.wakesAt { Session.wake(&state) }
            return result
        }
        switch result {
        case .success(let callID):
            if !onIOThread { flush() }
            return CallHandle(callID: callID)
        case .failure(let failure): return refuse(failure, completion)
        }
    }

    /// Makes a call and waits for its answer; not on the I/O thread, where nothing could ever arrive.
    public func callAndWait(_ call: OutgoingCall) throws(CallFailure) -> [UInt8] {
        precondition(!isOnIOThread, "a session cannot wait on its own I/O thread")
        let box = AnswerBox()
        let handle = start(call) { box.put($0) }
        return try box.take(before: call.deadline.advanced(bySeconds: 1)) { cancel(handle) }.get()
    }

    /// Gives up a call; its completion gets `.cancelled` at once, and a later answer is dropped.
    public func cancel(_ handle: CallHandle) {
        let waiter = state.withLock { $0.multiplexer.abandon(handle.callID) }
        guard let waiter else { return }
        if !isOnIOThread { flush() }
        waiter(.failure(.cancelled))
    }

    /// Ends the session soon; calls under way fail with `.sessionEnded`.
    public func close(_ reason: SessionEnd = .closedLocally) {
        state.withLock { state in
            guard state.ending == nil else { return }
            state.ending = reason
            Session.wake(&state)
        }
    }

    /// Whether the session is not over and not about to be.
    public var isOpen: Bool { state.withLock { $0.ending == nil } }

    /// Whether a new call would be taken, as far as age goes.
    public var acceptsCalls: Bool { isOpen && MonotonicInstant.now < expiresAt }

    /// Calls of this side that wait for their answer.
    public var callsInFlight: Int { state.withLock { $0.multiplexer.callsInFlight } }

    /// Calls of the peer that have no answer yet.
    public var callsServed: Int { state.withLock { $0.multiplexer.callsServed } }

    // MARK: Inside

    var isOnIOThread: Bool { UInt(pthread_self()) == ioThread.load(ordering: .relaxed) }

    func answer(_ callID: UInt32, _ result: Result<[UInt8], EnclaveFailure>) {
        state.withLock { state in
            if state.ending == nil { state.multiplexer.answer(callID, result) }
        }
        if !isOnIOThread { flush() }
    }

    /// Makes the I/O thread look at the state again.
    static func wake(_ state: inout State) {
        if state.event >= 0 { Descriptor.signal(state.event) }
    }

    private func refuse(_ failure: CallFailure, _ completion: Completion) -> CallHandle {
        completion(.failure(failure))
        return CallHandle(callID: 0)
    }
}
