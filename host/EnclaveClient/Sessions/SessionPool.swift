internal import AttestedSession
internal import EnclaveProtocol
internal import HostRuntime
internal import Synchronization

/// The open sessions of this process and the calls that wait for a place on one of them.
///
/// No call hops to an actor: the caller's thread starts it, the session's I/O thread finishes it and starts the next.
final class SessionPool: Sendable {
    private enum Decision {
        case start(Session)
        case queued
        case fail(EnclaveCallError)
    }

    /// One element whenever calls begin to wait.
    let queueSignals: AsyncStream<Void>
    private let queueSignal: AsyncStream<Void>.Continuation
    private let state = Mutex(PoolState())
    private let sessionCountChanged: @Sendable (Int) -> Void

    init(sessionCountChanged: @escaping @Sendable (Int) -> Void) {
        self.sessionCountChanged = sessionCountChanged
        (queueSignals, queueSignal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Whether the sessions are being kept.
    var isRunning: Bool { state.withLock { $0.phase == .running } }
    var isClosed: Bool { state.withLock { $0.phase == .closed } }
    /// Sessions that take calls.
    var sessionCount: Int { state.withLock { $0.entries.count(where: \.isUsable) } }
    /// Calls that wait for a place.
    var queuedCount: Int { state.withLock(\.queuedCount) }
    /// Identity of the enclave that was verified last.
    var identity: String? { state.withLock(\.identity) }

    func open() { state.withLock { if $0.phase == .idle { $0.phase = .running } } }

    func setIdentity(_ identity: String) { state.withLock { $0.identity = identity } }

    // MARK: Calls

    /// Starts a call, or lets it wait for a place until its deadline.
    func submit(_ pending: PendingCall) {
        let decision: Decision = state.withLock { state in
            guard state.phase != .closed else { return .fail(.unreachable) }
            if let index = state.leastBusy(at: .now) {
                state.entries[index].inFlight += 1
                return .start(state.entries[index].session)
            }
            if let failure = state.failure, !state.hasUsable { return .fail(failure) }
            return state.append(pending) ? .queued : .fail(.failed(EnclaveFailure(.overloaded)))
        }
        switch decision {
        case .start(let session): start(pending, on: session)
        case .queued: queueSignal.yield()
        case .fail(let error): pending.finish(.failure(error))
        }
    }

    private func start(_ pending: PendingCall, on session: Session) {
        let attempt = pending.attempt
        let handle = session.start(pending.call) { [self] result in
            completed(pending, on: session, with: result)
        }
        pending.started(on: session, as: handle, attempt: attempt)
    }

    private func completed(_ pending: PendingCall, on session: Session, with result: Result<[UInt8], CallFailure>) {
        let restarts = result == .failure(.sessionExpired) && pending.mayRestart()
        let isOver = result == .failure(.sessionExpired) || result == .failure(.sessionEnded)
        let (work, isDrained) = state.withLock { state in
            var isDrained = false
            if let index = state.index(of: session) {
                state.entries[index].inFlight -= 1
                if isOver { state.entries[index].isUsable = false }
                isDrained = !state.entries[index].isUsable && state.entries[index].inFlight == 0
            }
            if restarts { state.putFirst(pending) }
            return (state.takeStartable(), isDrained)
        }
        if !restarts { pending.finish(result.mapError(EnclaveCallError.init)) }
        if restarts { queueSignal.yield() }
        if isDrained { closeIfIdle(session) }
        perform(work)
    }

    private func perform(_ work: PoolState.Work) {
        for late in work.late { late.finish(.failure(.timedOut)) }
        for (pending, session) in work.startable { start(pending, on: session) }
    }

    /// Ends the wait of calls whose deadline has passed; false when none waits any more.
    func expireQueued() -> Bool {
        let now = MonotonicInstant.now
        let (late, isWaiting) = state.withLock { state in
            let late = state.takeLate(at: now)
            return (late, state.queuedCount > 0)
        }
        for pending in late { pending.finish(.failure(.timedOut)) }
        return isWaiting
    }

    // MARK: Sessions

    /// Adds a session; waiting calls go to it at once.
    func add(_ session: Session, of link: SessionLink, identity: String) {
        let work: PoolState.Work? = state.withLock { state in
            state.identity = identity
            guard state.phase == .running else { return nil }
            state.failure = nil
            state.entries.append(PoolState.Entry(link: link, session: session))
            return state.takeStartable()
        }
        guard let work else { return session.close(.closedLocally) }
        if link.hasEnded { remove(link) }
        perform(work)
        sessionCountChanged(sessionCount)
    }

    /// Gives a replaced session no new call; it ends when those under way have their answers.
    func retire(_ link: SessionLink) {
        let drained: Session? = state.withLock { state in
            guard let index = state.entries.firstIndex(where: { $0.link === link }) else { return nil }
            state.entries[index].isUsable = false
            return state.entries[index].inFlight == 0 ? state.entries[index].session : nil
        }
        if let drained { closeIfIdle(drained) }
        sessionCountChanged(sessionCount)
    }

    /// Forgets a session that is over; calls wait for the next try to connect.
    func remove(_ link: SessionLink) {
        state.withLock { state in
            state.entries.removeAll { $0.link === link }
            state.failure = nil
        }
        sessionCountChanged(sessionCount)
    }

    /// A try to connect failed: without any session nobody waits longer.
    func connectFailed(_ error: EnclaveCallError) {
        let waiting: [PendingCall] = state.withLock { state in
            guard !state.hasUsable else { return [] }
            state.failure = error
            return state.takeQueue()
        }
        for pending in waiting { pending.finish(.failure(error)) }
    }

    /// Ends everything; later calls fail.
    func close() {
        let (sessions, waiting) = state.withLock { state in
            state.phase = .closed
            return (state.entries.map(\.session), state.takeQueue())
        }
        for pending in waiting { pending.finish(.failure(.unreachable)) }
        for session in sessions { session.close(.closedLocally) }
        queueSignal.finish()
    }

    /// A session that still serves callbacks is left to end by its age.
    private func closeIfIdle(_ session: Session) {
        if session.callsServed == 0 { session.close(.closedLocally) }
    }
}
