internal import CLinux
internal import EnclaveProtocol
internal import Glibc
internal import Synchronization

extension Session {
    /// Turns between looks at an expired session that still works.
    static let expiredTurnMilliseconds = 50

    /// Starts the I/O thread; the session then lives until it ends, whoever holds it.
    func run(_ input: OpeningBuffer) throws(SessionError) {
        do throws(SessionError) {
            try Thread.start { [self] in loop(input) }
        } catch {
            discard()
            throw error
        }
    }

    /// Gives up a session that does not run and that nobody else has: closes what it owns, except the socket, which is
    /// still the caller's.
    func discard() {
        state.withLock { state in
            state.ending = .connectionFailed
            state.output = nil
            state.socket = -1
            Session.closeDescriptors(&state)
        }
    }

    private func loop(_ input: OpeningBuffer) {
        ioThread.store(UInt(pthread_self()), ordering: .relaxed)
        let (socket, event) = state.withLock { ($0.socket, $0.event) }
        var items = [pollfd(fd: socket, events: 0, revents: 0), pollfd(fd: event, events: Int16(POLLIN), revents: 0)]
        do throws(SessionEnd) {
            // Frames that came in together with the handshake.
            try takeRecords(input)
            while true {
                let (milliseconds, isBlocked) = try prepare()
                items[0].events = Int16(isBlocked ? POLLIN | POLLOUT : POLLIN)
                items[0].revents = 0
                items[1].revents = 0
                Descriptor.wait(&items, milliseconds: milliseconds)
                if items[1].revents != 0 { Descriptor.drain(event) }
                if Int32(items[0].revents) & POLLOUT != 0 { unblock() }
                if Int32(items[0].revents) & ~POLLOUT != 0 { try readTurn(socket, input) }
            }
        } catch {
            finish(error)
        }
    }

    private func readTurn(_ socket: Int32, _ input: OpeningBuffer) throws(SessionEnd) {
        switch unsafe input.fill({ unsafe Descriptor.receive(socket, into: $0) }) {
        case .bytes: try takeRecords(input)
        case .wouldBlock: break
        case .ended: throw .closedByPeer
        }
    }

    private func takeRecords(_ input: OpeningBuffer) throws(SessionEnd) {
        let now = MonotonicInstant.now
        while unsafe try input.next({ (header, chunk) throws(SessionEnd) in
            try unsafe take(header, chunk, now)
        }) {}
        flush()
    }

    private func take(
        _ header: RecordHeader, _ chunk: UnsafeRawBufferPointer, _ now: MonotonicInstant
    ) throws(SessionEnd) {
        let action: Multiplexer.Action
        do throws(ProtocolViolation) {
            action = try state.withLock { state throws(ProtocolViolation) in
                try unsafe state.multiplexer.receive(header, chunk)
            }
        } catch {
            throw .protocolViolation(error)
        }
        switch action {
        case .none: break
        case .request(let callID, let body): serve(callID, body, now)
        case .answer(let completion, let result, let consumption):
            completion(result.mapError(CallFailure.refused))
            if consumption.bytes > 0 { state.withLock { $0.multiplexer.consumed(consumption) } }
        case .cancelled(let cancellation): cancellation.cancel()
        }
    }

    private func serve(_ callID: UInt32, _ body: [UInt8], _ now: MonotonicInstant) {
        guard let envelope = try? CallEnvelope(decoding: body) else {
            return answer(callID, .failure(EnclaveFailure(.malformedRequest)))
        }
        guard side == .host || now < expiresAt.advanced(bySeconds: Limits.expiryGraceSeconds) else {
            return answer(callID, .failure(EnclaveFailure(.sessionRequired)))
        }
        let deadline = now.advanced(byMilliseconds: Int(envelope.deadlineMilliseconds))
        let call = IncomingCall(
            method: envelope.method, body: envelope.body, deadline: deadline, requestID: envelope.requestID,
            traceparent: envelope.traceparent, cancellation: CallCancellation())
        state.withLock { $0.multiplexer.attach(call.cancellation, to: callID, deadline: deadline) }
        handler.received(call, on: self) { [self] in answer(callID, $0) }
    }

    /// Looks at clocks and marks before the thread sleeps; returns how long it may, and whether output waits.
    private func prepare() throws(SessionEnd) -> (milliseconds: Int, isBlocked: Bool) {
        let now = MonotonicInstant.now
        let due = state.withLock { $0.multiplexer.expire(now) }
        for waiter in due.timedOut { waiter(.failure(.timedOut)) }
        for cancellation in due.overdue { cancellation.cancel() }
        if !due.timedOut.isEmpty || !due.overdue.isEmpty { flush() }
        return try state.withLock { state throws(SessionEnd) in
            if let ending = state.ending { throw ending }
            var wakesAt = state.multiplexer.nextDeadline
            if state.isBlocked {
                let limit = state.blockedSince.advanced(bySeconds: Limits.writeStallSeconds)
                if now >= limit { throw .writeStalled }
                wakesAt = min(wakesAt, limit)
            }
            wakesAt = min(wakesAt, try expiry(now, isIdle: state.multiplexer.isIdle))
            state.wakesAt = wakesAt
            return (wakesAt.milliseconds(after: now), state.isBlocked)
        }
    }

    /// When to look at the session's age again; throws when its life is over.
    private func expiry(_ now: MonotonicInstant, isIdle: Bool) throws(SessionEnd) -> MonotonicInstant {
        guard now >= expiresAt else { return expiresAt }
        let grace = side == .host ? 0 : Limits.expiryGraceSeconds
        let longestCall = Int(Limits.maximumDeadlineMilliseconds) / 1000 + Limits.expiryGraceSeconds
        if isIdle, now >= expiresAt.advanced(bySeconds: grace) { throw .expired }
        if now >= expiresAt.advanced(bySeconds: longestCall) { throw .expired }
        return now.advanced(byMilliseconds: Session.expiredTurnMilliseconds)
    }

    private func finish(_ reason: SessionEnd) {
        // What is ready goes out, as far as the socket takes it: the peer may still want the answers.
        if case .closedByPeer = reason {} else { flush() }
        let rest = state.withLock { state in
            if state.ending == nil { state.ending = reason }
            state.output = nil
            shutdown(state.socket, Int32(SHUT_RDWR))
            if !state.isSending { Session.closeDescriptors(&state) }
            return state.multiplexer.end()
        }
        for completion in rest.waiters { completion(.failure(.sessionEnded)) }
        for cancellation in rest.serving { cancellation.cancel() }
        handler.ended(self, reason: reason)
        onEnd(self)
        // The thread's number may be given to another thread.
        ioThread.store(0, ordering: .relaxed)
    }

    /// Closes both descriptors; only when no thread can be inside a call on them.
    static func closeDescriptors(_ state: inout State) {
        if state.socket >= 0 { Glibc.close(state.socket) }
        if state.event >= 0 { Glibc.close(state.event) }
        (state.socket, state.event) = (-1, -1)
    }
}
