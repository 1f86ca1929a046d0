internal import EnclaveProtocol

/// Sealed frames that wait to be sent; used by one thread at a time, under the session's lock.
@safe final class SealingBuffer: @unchecked Sendable {
    // Unchecked: the session's lock, or its `isSending` mark, gives exclusive access.

    /// Enough for several of the largest frames; pages that small traffic never touches cost nothing.
    private static let capacity = 256 * 1024
    private static let lengthBytes = 4
    private static let largestFrame = lengthBytes + Limits.maximumTransportFrameBytes

    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    private var start = 0
    private var end = 0
    private var cipher: TransportCipher

    init(cipher: consuming TransportCipher) { self.cipher = cipher }

    deinit { unsafe memory.deallocate() }

    var isEmpty: Bool { start == end }
    var hasRoom: Bool { SealingBuffer.capacity - end >= SealingBuffer.largestFrame }
    /// The bytes to send next; valid until `append`.
    var unsent: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: memory[start..<end]) }

    func consume(_ count: Int) {
        start += count
        if start == end { (start, end) = (0, 0) }
    }

    /// Moves what is left to the front, so that there is room again.
    func compact() {
        guard start > 0 else { return }
        unsafe memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
        (start, end) = (0, end - start)
    }

    /// Seals one record behind the others; the caller has checked `hasRoom`.
    func append(_ record: OutgoingRecord) throws(NoiseError) {
        let plaintextBytes = Limits.recordHeaderBytes + record.range.count
        let frameBytes = plaintextBytes + Limits.tagBytes
        let frame = unsafe UnsafeMutableRawBufferPointer(
            rebasing: memory[end..<(end + SealingBuffer.lengthBytes + frameBytes)])
        unsafe frame.storeBytes(of: UInt32(frameBytes).bigEndian, as: UInt32.self)
        let message = unsafe UnsafeMutableRawBufferPointer(rebasing: frame[SealingBuffer.lengthBytes...])
        unsafe message.storeBytes(of: record.header.callID.bigEndian, as: UInt32.self)
        unsafe message[4] = record.header.kind.rawValue
        unsafe message[5] = record.header.hasMore ? 1 : 0
        unsafe record.body.withUnsafeBytes { body in
            unsafe UnsafeMutableRawBufferPointer(rebasing: message[Limits.recordHeaderBytes..<plaintextBytes])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: body[record.range]))
        }
        try unsafe cipher.seal(message, count: plaintextBytes)
        end += frame.count
    }
}

/// Received bytes and the frames in them; used by the session's I/O thread only.
@safe final class OpeningBuffer: @unchecked Sendable {
    // Unchecked: only one thread has it at any time.

    private static let capacity = 256 * 1024
    private static let lengthBytes = 4

    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    private var start = 0
    private var end = 0
    /// Length of the record at `start` that is decrypted but not taken; 0 for none.
    private var openedBytes = 0
    private var cipher: TransportCipher

    init(cipher: consuming TransportCipher, received: [UInt8] = []) {
        self.cipher = cipher
        precondition(received.count <= OpeningBuffer.capacity)
        unsafe memory.copyBytes(from: received)
        end = received.count
    }

    deinit { unsafe memory.deallocate() }

    /// Lets `read` write behind what is there and tells how much that was.
    func fill(_ read: (UnsafeMutableRawBufferPointer) -> Transfer) -> Transfer {
        if start > 0 {
            unsafe memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
            (start, end) = (0, end - start)
        }
        let transfer = unsafe read(UnsafeMutableRawBufferPointer(rebasing: memory[end...]))
        if case .bytes(let count) = transfer { end += count }
        return transfer
    }

    /// Decrypts the next whole frame and lends its record; false when there is none yet.
    func next(_ body: (RecordHeader, UnsafeRawBufferPointer) throws(SessionEnd) -> Void) throws(SessionEnd) -> Bool {
        guard try confirm() else { return false }
        let recordStart = start + OpeningBuffer.lengthBytes
        let record = unsafe UnsafeRawBufferPointer(rebasing: memory[recordStart..<(recordStart + openedBytes)])
        start = recordStart + openedBytes + Limits.tagBytes
        openedBytes = 0
        guard let kind = unsafe RecordKind(rawValue: record[4]), unsafe record[5] <= 1 else {
            throw .protocolViolation(.malformedRecord)
        }
        let header = unsafe RecordHeader(
            callID: UInt32(bigEndian: record.loadUnaligned(as: UInt32.self)), kind: kind, hasMore: record[5] == 1)
        try unsafe body(header, UnsafeRawBufferPointer(rebasing: record[Limits.recordHeaderBytes...]))
        return true
    }

    /// Decrypts the next whole frame and leaves its record in place for `next`; false when there is none yet.
    func confirm() throws(SessionEnd) -> Bool {
        guard openedBytes == 0 else { return true }
        guard end - start >= OpeningBuffer.lengthBytes else { return false }
        let length = unsafe Int(UInt32(bigEndian: memory.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
        guard length >= Limits.recordHeaderBytes + Limits.tagBytes, length <= Limits.maximumTransportFrameBytes else {
            throw .protocolViolation(.frameLength)
        }
        let frameStart = start + OpeningBuffer.lengthBytes
        guard end - frameStart >= length else { return false }
        do throws(NoiseError) {
            openedBytes = unsafe try cipher.open(
                UnsafeMutableRawBufferPointer(rebasing: memory[frameStart..<(frameStart + length)])
            ).count
        } catch {
            throw .recordRefused
        }
        return true
    }
}

extension TransportPair {
    /// The host's buffers; `received` came in behind the handshake.
    consuming func hostBuffers(received: [UInt8] = []) -> (output: SealingBuffer, input: OpeningBuffer) {
        (SealingBuffer(cipher: fromInitiator), OpeningBuffer(cipher: fromResponder, received: received))
    }

    /// The enclave's buffers.
    consuming func enclaveBuffers() -> (output: SealingBuffer, input: OpeningBuffer) {
        (SealingBuffer(cipher: fromResponder), OpeningBuffer(cipher: fromInitiator))
    }
}
