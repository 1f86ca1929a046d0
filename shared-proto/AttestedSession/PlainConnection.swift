public import EnclaveProtocol
internal import Glibc
public import Sodium

/// A host's connection before a session: asks for health, document and evidence, then may become a session.
///
/// Blocking, with a deadline on everything; for one thread at a time. An enclave gives such a connection 5 seconds.
public final class PlainConnection {
    private var socket: Int32
    private var received: [UInt8] = []
    private var exchange: (request: [UInt8], answer: [UInt8])?

    /// Connects.
    public init(to endpoint: Endpoint, deadline: MonotonicInstant) throws(SessionError) {
        socket = try Sockets.connect(to: endpoint, deadline: deadline)
    }

    deinit { close() }

    /// Closes the connection; a session that grew from it is not affected.
    public func close() {
        if socket >= 0 { Glibc.close(socket) }
        socket = -1
    }

    /// Asks how the enclave is.
    public func health(deadline: MonotonicInstant) throws(SessionError) -> HealthAnswer {
        guard case .health(let answer) = try ask(.health, deadline).answer else { throw .malformed }
        return answer
    }

    /// Asks for the attestation document.
    public func document(deadline: MonotonicInstant) throws(SessionError) -> DocumentAnswer {
        guard case .document(let answer) = try ask(.document, deadline).answer else { throw .malformed }
        return answer
    }

    /// Asks for evidence.
    public func challenge(_ challenge: Challenge, deadline: MonotonicInstant) throws(SessionError) -> ChallengeAnswer {
        let result = try ask(.challenge(challenge), deadline)
        guard case .challenge(let answer) = result.answer else { throw .malformed }
        if challenge.purpose == Challenge.sessionPurpose {
            exchange = (HelloRequest.challenge(challenge).encoded(), result.payload)
        }
        return answer
    }

    /// Opens the session that the answered challenge of purpose `session` allows; this connection is used up by it.
    ///
    /// `enclaveKey` is `sessionKey` of evidence that the caller has **verified**; `hostKey` is this host's identity, which
    /// the enclave must know; the session ends after `maximumAge` seconds or the enclave's terms, whichever is less.
    public func openSession(
        hostKey: borrowing X25519.PrivateKey, enclaveKey: [UInt8], handler: any CallHandler, maximumAge: Int,
        deadline: MonotonicInstant
    ) throws(SessionError) -> Session {
        guard let exchange else { throw .noChallenge }
        self.exchange = nil
        let started = MonotonicInstant.now
        let prologue = Hash.sha256(
            sessionPrologueInput(challengeRequest: exchange.request, challengeAnswer: exchange.answer))
        let agreement = try handshake(hostKey, enclaveKey, prologue, deadline)
        let age = min(maximumAge, Int(agreement.terms.lifetimeSeconds))
        let (output, input) = agreement.ciphers.hostBuffers(received: received)
        do throws(NoiseError) {
            try output.append(CallMultiplexer<Void, Void>.confirmation)
        } catch {
            throw .handshakeFailed
        }
        let session = try Session(
            .host, socket: socket, output: output, peerStaticKey: enclaveKey, role: nil,
            expiresAt: started.advanced(bySeconds: age), handler: handler)
        try session.run(input)
        socket = -1
        session.flush()
        return session
    }

    private struct Agreement: ~Copyable {
        let terms: SessionTerms
        let ciphers: TransportPair
    }

    private func handshake(
        _ hostKey: borrowing X25519.PrivateKey, _ enclaveKey: [UInt8], _ prologue: [UInt8],
        _ deadline: MonotonicInstant
    ) throws(SessionError) -> Agreement {
        var noise = NoiseIK(initiatorKnowing: enclaveKey, prologue: prologue)
        do {
            let first = try noise.writeFirst(staticKey: hostKey)
            guard case .handshake(let second) = try ask(.handshake(first), deadline).answer else {
                throw SessionError.malformed
            }
            let payload = try noise.readSecond(second, staticKey: hostKey)
            let terms = try SessionTerms(decoding: payload)
            return Agreement(terms: terms, ciphers: noise.split())
        } catch let error as SessionError {
            throw error
        } catch {
            throw .handshakeFailed
        }
    }

    // MARK: Frames

    private func ask(
        _ request: HelloRequest, _ deadline: MonotonicInstant
    ) throws(SessionError) -> (answer: HelloAnswer, payload: [UInt8]) {
        guard socket >= 0 else { throw .closedByPeer }
        let payload = request.encoded()
        try write(frameLengthBytes(payload.count) + payload, deadline)
        let received = try readFrame(deadline)
        guard let answer = try? HelloAnswer(decoding: received) else { throw .malformed }
        if case .refused(let code) = answer { throw .refused(code) }
        return (answer, received)
    }

    private func write(_ bytes: [UInt8], _ deadline: MonotonicInstant) throws(SessionError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch unsafe rest.withUnsafeBytes({ unsafe Descriptor.send(socket, $0) }) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock:
                guard Descriptor.wait(socket, for: POLLOUT, until: deadline) else { throw .timedOut }
            case .ended: throw .closedByPeer
            }
        }
    }

    private func readFrame(_ deadline: MonotonicInstant) throws(SessionError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            if let length = frameLength(received) {
                guard length > 0, length <= Limits.maximumPlainAnswerBytes else { throw .malformed }
                if received.count >= 4 + length {
                    defer { received.removeFirst(4 + length) }
                    return Array(received[4..<(4 + length)])
                }
            }
            switch unsafe buffer.withUnsafeMutableBytes({ unsafe Descriptor.receive(socket, into: $0) }) {
            case .bytes(let count): received += buffer[..<count]
            case .wouldBlock:
                guard Descriptor.wait(socket, for: POLLIN, until: deadline) else { throw .timedOut }
            case .ended: throw .closedByPeer
            }
        }
    }
}

/// The length in front of a frame, once its 4 bytes are there.
func frameLength(_ bytes: [UInt8]) -> Int? {
    guard bytes.count >= 4 else { return nil }
    return Int(bytes[0]) << 24 | Int(bytes[1]) << 16 | Int(bytes[2]) << 8 | Int(bytes[3])
}
