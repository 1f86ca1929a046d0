internal import CLinux
internal import EnclaveProtocol
internal import Glibc
internal import Sodium

/// All connections of a listener that have no session yet; used by the listener's thread only.
@safe final class Lobby {
    /// Connections accepted in one turn before those that are there get their turn.
    private static let acceptsPerTurn = 64
    /// How long accepting rests when the process has no descriptor left, in milliseconds.
    private static let acceptPauseMilliseconds = 100

    private let listener: SessionListener
    private var pending: [PendingConnection] = []
    private var budget: ChallengeBudget
    private var acceptsFrom = MonotonicInstant(nanoseconds: 0)
    /// Given up to take and drop a connection when no descriptor is left.
    private var reserve: Int32
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 * 1024, alignment: 16)

    init(_ listener: SessionListener) {
        self.listener = listener
        budget = ChallengeBudget(perSecond: listener.limits.challengesPerSecond, now: .now)
        reserve = Lobby.openReserve()
    }

    deinit { unsafe scratch.deallocate() }

    /// Waits for something to do, and does it.
    func turn(wakingOn event: Int32) {
        let now = MonotonicInstant.now
        let isPaused = acceptsFrom > now
        var items = [
            pollfd(fd: event, events: Int16(POLLIN), revents: 0),
            pollfd(fd: listener.listening, events: isPaused ? 0 : Int16(POLLIN), revents: 0),
        ]
        for connection in pending {
            items.append(pollfd(fd: connection.socket, events: Int16(connection.events), revents: 0))
        }
        var wakesAt = pending.first?.deadline ?? .distantFuture
        if isPaused { wakesAt = min(wakesAt, acceptsFrom) }
        Descriptor.wait(&items, milliseconds: wakesAt == .distantFuture ? -1 : wakesAt.milliseconds(after: now))
        if items[0].revents != 0 { Descriptor.drain(event) }
        let ready = zip(pending, items[2...]).filter { $0.1.revents != 0 }.map(\.0)
        for connection in ready { serve(connection) }
        dropOverdue(.now)
        if items[1].revents != 0 { accept() }
    }

    /// Drops everybody.
    func close() {
        for connection in pending { connection.close() }
        pending = []
        if reserve >= 0 { Glibc.close(reserve) }
        reserve = -1
    }

    // MARK: Coming and going

    private func accept() {
        for _ in 0..<Lobby.acceptsPerTurn {
            let socket = alfred_accept(listener.listening)
            if socket >= 0 {
                admit(socket)
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return makeRoom()
            default: return
            }
        }
    }

    private func admit(_ socket: Int32) {
        while pending.count >= listener.limits.maximumPendingConnections { dropOldest() }
        Sockets.configure(socket, listener.endpoint)
        pending.append(
            PendingConnection(
                socket: socket, deadline: MonotonicInstant.now.advanced(bySeconds: listener.limits.handshakeSeconds)))
    }

    /// No descriptor is left: lets the oldest go; if there is none, takes and drops one connection with the reserve.
    private func makeRoom() {
        if !pending.isEmpty { return dropOldest() }
        if reserve >= 0 { Glibc.close(reserve) }
        let socket = alfred_accept(listener.listening)
        if socket >= 0 { Glibc.close(socket) }
        reserve = Lobby.openReserve()
        acceptsFrom = MonotonicInstant.now.advanced(byMilliseconds: Lobby.acceptPauseMilliseconds)
    }

    private func dropOldest() {
        guard let oldest = pending.first(where: { !$0.isConfirming }) ?? pending.first else { return }
        drop(oldest)
    }

    private func dropOverdue(_ now: MonotonicInstant) {
        // They are in order of their deadlines.
        while let first = pending.first, first.deadline <= now { drop(first) }
    }

    private func drop(_ connection: PendingConnection) {
        forget(connection)
        connection.close()
    }

    private func forget(_ connection: PendingConnection) {
        pending.removeAll { $0 === connection }
    }

    private static func openReserve() -> Int32 { unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) }

    // MARK: One connection

    private func serve(_ connection: PendingConnection) {
        guard connection.flush() else { return drop(connection) }
        guard !connection.hasOutput else { return }
        if case .confirming(let confirming) = connection.phase { return confirm(connection, confirming) }
        guard unsafe connection.read(scratch) else { return drop(connection) }
        do throws(SessionError) {
            while let frame = try connection.nextFrame() {
                reply(to: frame, connection)
                guard connection.flush() else { return drop(connection) }
            }
        } catch {
            drop(connection)
        }
    }

    private func reply(to frame: [UInt8], _ connection: PendingConnection) {
        guard let request = try? HelloRequest(decoding: frame) else {
            return refuse(.malformedRequest, connection, closing: true)
        }
        switch request {
        case .health: connection.send(HelloAnswer.health(listener.plain.health()).encoded())
        case .document:
            do throws(EnclaveFailure) {
                connection.send(HelloAnswer.document(try listener.plain.document()).encoded())
            } catch {
                refuse(error.code, connection, closing: false)
            }
        case .challenge(let challenge): answer(challenge, frame, connection)
        case .handshake(let message): handshake(message, connection)
        }
    }

    private func answer(_ challenge: Challenge, _ frame: [UInt8], _ connection: PendingConnection) {
        let isForSession = challenge.purpose == Challenge.sessionPurpose
        if isForSession, case .challenged = connection.phase {
            return refuse(.challengeRefused, connection, closing: true)
        }
        guard budget.take(isForSession: isForSession, now: .now) else {
            return refuse(.overloaded, connection, closing: false)
        }
        do throws(EnclaveFailure) {
            let payload = HelloAnswer.challenge(try listener.plain.answer(challenge)).encoded()
            if isForSession {
                let input = sessionPrologueInput(challengeRequest: frame, challengeAnswer: payload)
                connection.phase = .challenged(prologue: Hash.sha256(input))
            }
            connection.send(payload)
        } catch {
            refuse(error.code, connection, closing: false)
        }
    }

    private func handshake(_ message: [UInt8], _ connection: PendingConnection) {
        guard case .challenged(let prologue) = connection.phase, connection.isInputEmpty else {
            return refuse(.challengeRefused, connection, closing: true)
        }
        connection.phase = .hello
        var noise = NoiseIK(responderWith: listener.staticKey.publicKey, prologue: prologue)
        do throws(NoiseError) {
            guard message.count == NoiseIK.firstMessageBytes else { throw .malformed }
            let hostKey = try noise.readFirst(message, staticKey: listener.staticKey).initiatorKey
            guard let role = listener.plain.role(of: hostKey) else {
                return refuse(.roleNotAllowed, connection, closing: true)
            }
            guard listener.registry.hasRoom(for: role), listener.plain.willOpen(role: role) else {
                return refuse(.overloaded, connection, closing: true)
            }
            let terms = SessionTerms(lifetimeSeconds: UInt32(listener.limits.sessionSeconds))
            let second = try noise.writeSecond(payload: terms.encoded())
            let (output, input) = noise.split().enclaveBuffers()
            connection.phase = .confirming(
                PendingConnection.Confirming(
                    hostKey: hostKey, role: role,
                    expiresAt: MonotonicInstant.now.advanced(bySeconds: listener.limits.sessionSeconds),
                    input: input, output: output))
            connection.send(HelloAnswer.handshake(second).encoded())
        } catch {
            // One answer for every fault, so that it tells nothing about the key.
            refuse(.challengeRefused, connection, closing: true)
        }
    }

    private func refuse(_ code: EnclaveErrorCode, _ connection: PendingConnection, closing: Bool) {
        connection.send(HelloAnswer.refused(code).encoded(), closing: closing)
    }

    /// Reads towards the first record; when it is valid, the connection becomes a session.
    private func confirm(_ connection: PendingConnection, _ confirming: PendingConnection.Confirming) {
        let transfer = unsafe confirming.input.fill { unsafe Descriptor.receive(connection.socket, into: $0) }
        guard transfer != .ended, let isValid = try? confirming.input.confirm() else { return drop(connection) }
        guard isValid else { return }
        let registry = listener.registry
        do throws(SessionError) {
            let session = try Session(
                .enclave, socket: connection.socket, output: confirming.output, peerStaticKey: confirming.hostKey,
                role: confirming.role, expiresAt: confirming.expiresAt, handler: listener.calls
            ) { registry.remove($0) }
            guard registry.add(session, role: confirming.role) else {
                session.discard()
                throw .refused(.overloaded)
            }
            do throws(SessionError) {
                try session.run(confirming.input)
            } catch {
                registry.remove(session)
                throw error
            }
            forget(connection)
        } catch {
            drop(connection)
        }
    }
}
