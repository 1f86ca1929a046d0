internal import AttestedSession
internal import Synchronization

/// One call of this process on its way: waiting in the queue, or started on a session; answered once.
final class PendingCall: Sendable {
    typealias Outcome = Result<[UInt8], EnclaveCallError>

    private struct State {
        var continuation: CheckedContinuation<Outcome, Never>?
        var started: (session: Session, handle: CallHandle)?
        var isCancelled = false
        var isFinished = false
        var restarts = 0
    }

    /// Times a call is moved to another session because nothing of it was sent.
    private static let maximumRestarts = 3

    let call: OutgoingCall
    private let state = Mutex(State())

    init(_ call: OutgoingCall) { self.call = call }

    var isFinished: Bool { state.withLock { $0.isFinished } }

    /// Takes the caller's continuation; false when the call was cancelled before, and is finished now.
    func attach(_ continuation: CheckedContinuation<Outcome, Never>) -> Bool {
        let isCancelled = state.withLock { state in
            if state.isCancelled { state.isFinished = true } else { state.continuation = continuation }
            return state.isCancelled
        }
        if isCancelled { continuation.resume(returning: .failure(.cancelled)) }
        return !isCancelled
    }

    /// Number of the present try.
    var attempt: Int { state.withLock { $0.restarts } }

    /// Notes where the call runs, so that it can be cancelled there; one cancelled meanwhile is cancelled now.
    ///
    /// The session may have refused it at once, and it may be on another one already: then `attempt` is not the present.
    func started(on session: Session, as handle: CallHandle, attempt: Int) {
        let isCancelled = state.withLock { state in
            guard state.restarts == attempt else { return false }
            if !state.isFinished { state.started = (session, handle) }
            return state.isCancelled
        }
        if isCancelled { session.cancel(handle) }
    }

    /// Whether the call may be started again, after a session took nothing of it.
    func mayRestart() -> Bool {
        state.withLock { state in
            guard !state.isCancelled, !state.isFinished, state.restarts < Self.maximumRestarts else { return false }
            state.restarts += 1
            state.started = nil
            return true
        }
    }

    /// Answers the caller; the first answer counts.
    func finish(_ outcome: Outcome) {
        let continuation = state.withLock { state in
            state.isFinished = true
            state.started = nil
            defer { state.continuation = nil }
            return state.continuation
        }
        continuation?.resume(returning: outcome)
    }

    /// The caller no longer wants the answer.
    func cancel() {
        let started = state.withLock { state in
            state.isCancelled = true
            return state.started
        }
        if let started { started.session.cancel(started.handle) } else { cancelQueued() }
    }

    /// A call that a session does not have yet is finished here; the queue drops it when its turn comes.
    private func cancelQueued() {
        let isWaiting = state.withLock { $0.continuation != nil && $0.started == nil }
        if isWaiting { finish(.failure(.cancelled)) }
    }
}
