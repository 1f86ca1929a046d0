import EnclaveProtocol
import Foundation
import LocalStack
import Sodium

@testable import AttestedSession

/// A host that says what it likes, byte by byte; blocking, for one test at a time.
final class RawHost {
    private(set) var socket: Int32
    private(set) var output: SealingBuffer?
    private var input: OpeningBuffer?
    private var received: [UInt8] = []

    init(_ endpoint: Endpoint) throws { socket = try Sockets.connect(to: endpoint, deadline: soon()) }

    deinit { if socket >= 0 { close(socket) } }

    // MARK: - Bytes

    /// Sends what the enclave takes; stops silently when it has closed.
    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch rest.withUnsafeBytes({ Descriptor.send(socket, $0) }) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: if !Descriptor.wait(socket, for: POLLOUT, until: soon()) { return }
            case .ended: return
            }
        }
    }

    func sendFrame(_ payload: [UInt8]) { send(frameLengthBytes(payload.count) + payload) }

    /// Says that nothing more comes.
    func endOutput() { shutdown(socket, Int32(SHUT_WR)) }

    /// The next whole frame; nil when the enclave closes instead.
    func frame() -> [UInt8]? {
        while true {
            if received.count >= 4 {
                let length = received[..<4].reduce(0) { $0 << 8 | Int($1) }
                if received.count >= 4 + length {
                    defer { received.removeFirst(4 + length) }
                    return Array(received[4..<(4 + length)])
                }
            }
            guard read(until: soon()) else { return nil }
        }
    }

    /// Whether the enclave closes the connection before `deadline`; what it still sends is kept.
    func closes(before deadline: MonotonicInstant = soon()) -> Bool {
        while MonotonicInstant.now < deadline {
            if !read(until: deadline) { return MonotonicInstant.now < deadline }
        }
        return false
    }

    private func read(until deadline: MonotonicInstant) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            switch buffer.withUnsafeMutableBytes({ Descriptor.receive(socket, into: $0) }) {
            case .bytes(let count):
                received += buffer[..<count]
                return true
            case .wouldBlock: if !Descriptor.wait(socket, for: POLLIN, until: deadline) { return false }
            case .ended: return false
            }
        }
    }

    // MARK: - Before a session

    /// The enclave's answer to a hello message; nil when it closes instead.
    func ask(_ request: HelloRequest) throws -> HelloAnswer? {
        sendFrame(request.encoded())
        return try frame().map { try HelloAnswer(decoding: $0) }
    }

    /// Challenge and handshake; `change` alters message 1. Records can be sealed then; none is sent.
    func shakeHands(_ key: borrowing X25519.PrivateKey, change: (inout [UInt8]) -> Void = { _ in }) throws {
        let now = unixNow()
        let challenge = Challenge(
            nonce: Random.bytes(32), issuedAt: now, expiresAt: now + 2, purpose: Challenge.sessionPurpose,
            requestID: "hostile")
        let request = HelloRequest.challenge(challenge).encoded()
        sendFrame(request)
        guard let payload = frame() else { throw SessionError.closedByPeer }
        let answered = try HelloAnswer(decoding: payload)
        if case .refused(let code) = answered { throw SessionError.refused(code) }
        guard case .challenge(let answer) = answered else { throw SessionError.malformed }
        let prologue = Hash.sha256(sessionPrologueInput(challengeRequest: request, challengeAnswer: payload))
        var noise = NoiseIK(
            initiatorKnowing: try Evidence(decoding: answer.evidence).sessionKey, prologue: prologue)
        var message = try noise.writeFirst(staticKey: key)
        change(&message)
        let second = try ask(.handshake(message))
        if case .refused(let code) = second { throw SessionError.refused(code) }
        guard case .handshake(let second) = second else { throw SessionError.handshakeFailed }
        _ = try noise.readSecond(second, staticKey: key)
        (output, input) = noise.split().hostBuffers()
    }

    // MARK: - In a session

    /// The sealed frame of one record, length included; each call uses up one number.
    func seal(_ id: UInt32, _ kind: RecordKind, _ body: [UInt8], hasMore: Bool = false) throws -> [UInt8] {
        guard let output else { throw SessionError.noChallenge }
        let header = RecordHeader(callID: id, kind: kind, hasMore: hasMore)
        try output.append(OutgoingRecord(header: header, body: body, range: 0..<body.count))
        let bytes = Array(output.unsent)
        output.consume(bytes.count)
        return bytes
    }

    /// The next record from the enclave; nil when it closes instead.
    func record() throws -> (header: RecordHeader, body: [UInt8])? {
        guard let input, let frame = frame() else { return nil }
        let bytes = frameLengthBytes(frame.count) + frame
        let transfer = input.fill { memory in
            memory.copyBytes(from: bytes)
            return .bytes(bytes.count)
        }
        guard case .bytes = transfer else { return nil }
        var record: (header: RecordHeader, body: [UInt8])?
        _ = try input.next { (header, chunk) throws(SessionEnd) in record = (header, Array(chunk)) }
        return record
    }

    /// A request that an honest host could make.
    func request(_ id: UInt32) throws -> [UInt8] {
        let item = DataItem(purpose: .jobPayload, user: UserID(UUID()), recordID: "x", content: [1, 2, 3])
        return try seal(id, .request, envelope(.dataSeal, DataItems([item]).encoded()))
    }

    func envelope(_ method: Method, _ body: [UInt8]) -> [UInt8] {
        CallEnvelope(
            method: method.rawValue, deadlineMilliseconds: 10_000, requestID: "raw", traceparent: nil, body: body
        ).encoded()
    }

    /// The product's own session on this connection, except that it never thinks itself too old.
    func ageless(_ handler: any CallHandler) throws -> Session {
        guard let output, let input else { throw SessionError.noChallenge }
        try output.append(CallMultiplexer<Void, Void>.confirmation)
        let session = try Session(
            .host, socket: socket, output: output, peerStaticKey: [], role: nil, expiresAt: .distantFuture,
            handler: handler)
        try session.run(input)
        socket = -1
        session.flush()
        return session
    }
}

/// The same bytes with one bit, or those of `bit`, inverted.
func flip(_ index: Int, bit: UInt8 = 1, in bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    bytes[index] ^= bit
    return bytes
}
