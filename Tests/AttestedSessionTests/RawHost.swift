import EnclaveProtocol
import Foundation
import Sodium

@testable import AttestedSession

/// A host that says what it likes, byte for byte.
final class RawHost {
    let socket: Int32
    private var received: [UInt8] = []
    private(set) var output: SealingBuffer?

    init(_ enclave: TestEnclave) throws {
        socket = try Sockets.connect(to: enclave.endpoint, deadline: soon())
    }

    deinit { close(socket) }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            switch unsafe rest.withUnsafeBytes({ unsafe Descriptor.send(socket, $0) }) {
            case .bytes(let count): rest = rest.dropFirst(count)
            case .wouldBlock: if !Descriptor.wait(socket, for: POLLOUT, until: soon()) { return }
            case .ended: return
            }
        }
    }

    func sendFrame(_ payload: [UInt8]) { send(frameLengthBytes(payload.count) + payload) }

    /// The next whole frame; nil when the enclave closes instead.
    func frame() -> [UInt8]? {
        while true {
            if let length = frameLength(received), received.count >= 4 + length {
                defer { received.removeFirst(4 + length) }
                return Array(received[4..<(4 + length)])
            }
            guard read() else { return nil }
        }
    }

    /// Whether the enclave closes the connection within `seconds`.
    func isClosed(seconds: Int = 10) -> Bool {
        let deadline = soon(seconds)
        while MonotonicInstant.now < deadline { if !read(until: deadline) { return MonotonicInstant.now < deadline } }
        return false
    }

    func ask(_ request: HelloRequest) throws -> HelloAnswer? {
        sendFrame(request.encoded())
        return try frame().map { try HelloAnswer(decoding: $0) }
    }

    /// Goes through the handshake as api; records can be sealed then, but none is sent.
    func shakeHands(_ enclave: TestEnclave) throws { try shakeHands(enclave, enclave.apiKey) }

    /// Goes through the handshake with this key, message 1 altered by `change`.
    func shakeHands(
        _ enclave: TestEnclave, _ key: borrowing X25519.PrivateKey, change: (inout [UInt8]) -> Void = { _ in }
    ) throws {
        let request = HelloRequest.challenge(enclave.challenge()).encoded()
        sendFrame(request)
        guard let answer = frame() else { throw SessionError.closedByPeer }
        let prologue = Hash.sha256(sessionPrologueInput(challengeRequest: request, challengeAnswer: answer))
        var noise = NoiseIK(initiatorKnowing: enclave.plain.sessionKey, prologue: prologue)
        var message = try noise.writeFirst(staticKey: key)
        change(&message)
        let answered = try ask(.handshake(message))
        if case .refused(let code) = answered { throw SessionError.refused(code) }
        guard case .handshake(let second) = answered else { throw SessionError.handshakeFailed }
        _ = try noise.readSecond(second, staticKey: key)
        output = noise.split().hostBuffers().output
    }

    /// The sealed frame of one record, length included; each call uses up one nonce.
    func seal(_ id: UInt32, _ kind: RecordKind, _ body: [UInt8], more: Bool = false) throws -> [UInt8] {
        guard let output else { throw SessionError.noChallenge }
        let header = RecordHeader(callID: id, kind: kind, hasMore: more)
        try output.append(OutgoingRecord(header: header, body: body, range: 0..<body.count))
        let bytes = unsafe Array(output.unsent)
        output.consume(bytes.count)
        return bytes
    }

    func envelope(_ body: [UInt8]) -> [UInt8] {
        CallEnvelope(
            method: Method.dataSeal.rawValue, deadlineMilliseconds: 5000, requestID: "raw", traceparent: nil, body: body
        ).encoded()
    }

    private func read(until deadline: MonotonicInstant = soon()) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            switch unsafe buffer.withUnsafeMutableBytes({ unsafe Descriptor.receive(socket, into: $0) }) {
            case .bytes(let count):
                received += buffer[..<count]
                return true
            case .wouldBlock: if !Descriptor.wait(socket, for: POLLIN, until: deadline) { return false }
            case .ended: return false
            }
        }
    }
}
