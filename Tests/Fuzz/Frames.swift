import EnclaveProtocol
import Sodium

@testable import AttestedSession

/// Seals records, alters one byte of the stream or none, and delivers it in pieces.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFrames(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = Input(start, count)
    let key = [UInt8](repeating: 7, count: 32)
    let output = SealingBuffer(cipher: TransportCipher(key: SecretBytes(copying: key)))
    let receiver = OpeningBuffer(cipher: TransportCipher(key: SecretBytes(copying: key)))
    let alteration = Int(input.number() % 4096)
    let mask = input.byte()
    let pieceBytes = Int(input.byte()) + 1

    var sent: [(header: RecordHeader, body: [UInt8])] = []
    var ends: [Int] = []
    while !input.isEmpty, sent.count < 32, output.hasRoom {
        guard let kind = RecordKind(rawValue: input.byte() % 5 + 1) else { break }
        let header = RecordHeader(callID: input.number(), kind: kind, hasMore: input.byte() % 2 == 1)
        let body = input.take(Int(input.byte()))
        guard (try? output.append(OutgoingRecord(header: header, body: body, range: 0..<body.count))) != nil else {
            fatalError("cannot seal")
        }
        sent.append((header, body))
        ends.append(output.unsent.count)
    }
    var stream = Array(output.unsent)
    let isAltered = mask != 0 && alteration < stream.count
    if isAltered { stream[alteration] ^= mask }
    // Raw bytes behind the last frame, as from a host that has lost its senses.
    stream += input.take(64)

    var received = 0
    let intact = isAltered ? ends.count { $0 <= alteration } : sent.count
    var rest = stream[...]
    do throws(SessionEnd) {
        while !rest.isEmpty {
            let piece = rest.prefix(pieceBytes)
            rest = rest.dropFirst(piece.count)
            var isFull = false
            _ = receiver.fill { memory in
                isFull = memory.count < piece.count
                if !isFull { memory.copyBytes(from: piece) }
                return .bytes(isFull ? 0 : piece.count)
            }
            precondition(!isFull, "the buffer holds more than one frame back")
            while try receiver.next({ (header, chunk) throws(SessionEnd) in
                precondition(received < intact, "a record after the alteration")
                precondition(header == sent[received].header && chunk.elementsEqual(sent[received].body))
                received += 1
            }) {}
        }
    } catch {
        precondition(received == intact, "an error before the alteration: \(error)")
        return 0
    }
    // Without an error either everything came, or the altered length still waits for more bytes.
    precondition(received == intact, "records are missing")
    return 0
}
