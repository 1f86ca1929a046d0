internal import EnclaveProtocol
internal import Glibc

/// A connection without a session: its bytes in and out, and how far it is.
final class PendingConnection {
    enum Phase {
        /// Nothing was asked that leads to a session.
        case hello
        /// A challenge of purpose `session` was answered.
        case challenged(prologue: [UInt8])
        /// Message 2 was sent; the first valid record makes it a session.
        case confirming(Confirming)
    }

    struct Confirming {
        let hostKey: [UInt8]
        let role: Role
        let expiresAt: MonotonicInstant
        let input: OpeningBuffer
        let output: SealingBuffer
    }

    let socket: Int32
    let deadline: MonotonicInstant
    var phase = Phase.hello
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    /// After the last answer the connection is closed.
    private var isClosing = false

    init(socket: Int32, deadline: MonotonicInstant) {
        self.socket = socket
        self.deadline = deadline
    }

    var isConfirming: Bool { if case .confirming = phase { true } else { false } }
    var hasOutput: Bool { !output.isEmpty }
    /// Whether everything read so far was used, as it must be when the handshake answer goes out.
    var isInputEmpty: Bool { input.isEmpty }
    /// Nothing more is read until the answer is out, so that neither side's bytes pile up here.
    var events: Int32 { hasOutput ? POLLOUT : POLLIN }

    func close() { Glibc.close(socket) }

    /// Reads at most what one largest frame needs; false when the connection is over.
    func read(_ scratch: UnsafeMutableRawBufferPointer) -> Bool {
        let room = 4 + Limits.maximumPlainFrameBytes - input.count
        let buffer = unsafe UnsafeMutableRawBufferPointer(rebasing: scratch[..<min(room, scratch.count)])
        switch unsafe Descriptor.receive(socket, into: buffer) {
        case .bytes(let count):
            unsafe input.append(contentsOf: buffer[..<count])
            return true
        case .wouldBlock: return true
        case .ended: return false
        }
    }

    /// Takes the next whole frame; nil when there is none or an answer still waits, throws when it is too long.
    func nextFrame() throws(SessionError) -> [UInt8]? {
        guard !hasOutput, let length = frameLength(input) else { return nil }
        guard length > 0, length <= Limits.maximumPlainFrameBytes else { throw .malformed }
        guard input.count >= 4 + length else { return nil }
        defer { input.removeFirst(4 + length) }
        return Array(input[4..<(4 + length)])
    }

    func send(_ payload: [UInt8], closing: Bool = false) {
        output += frameLengthBytes(payload.count)
        output += payload
        isClosing = closing
    }

    /// Sends what the socket takes; false when the connection is over.
    func flush() -> Bool {
        while !output.isEmpty {
            switch unsafe output.withUnsafeBytes({ unsafe Descriptor.send(socket, $0) }) {
            case .bytes(let count): output.removeFirst(count)
            case .wouldBlock: return true
            case .ended: return false
            }
        }
        return !isClosing
    }
}
