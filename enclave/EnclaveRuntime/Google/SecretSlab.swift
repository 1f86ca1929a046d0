internal import Sodium

/// Many short secrets in few pieces of locked memory: a piece of its own would cost each a page and its guards.
struct SecretSlab: ~Copyable {
    /// Where a secret lies; small, for there is one per connector.
    struct Slot: Sendable {
        fileprivate let size: UInt8
        fileprivate let count: UInt16
        fileprivate let index: UInt32
    }

    private struct Pieces {
        static let pieceBytes = 64 * 1024
        let slotBytes: Int
        var pieces: [Piece] = []
        var free: [UInt32] = []
        var perPiece: Int { Self.pieceBytes / slotBytes }

        init(slotBytes: Int) { self.slotBytes = slotBytes }

        mutating func take() -> UInt32 {
            if free.isEmpty {
                let first = UInt32(pieces.count * perPiece)
                pieces.append(Piece(unsafe SecretBytes(count: Self.pieceBytes) { _ in }))
                free = (first..<(first + UInt32(perPiece))).reversed()
            }
            return free.removeLast()
        }
    }

    private final class Piece {
        var bytes: SecretBytes
        init(_ bytes: consuming SecretBytes) { self.bytes = bytes }
    }

    /// Google's access tokens have some 220 characters today; longer ones must not cost the space of the longest.
    private var sizes = [192, 224, 256, 320, 512, TokenAnswer.maximumTokenBytes].map(Pieces.init)

    /// Copies `secret` in; it must not be longer than `TokenAnswer.maximumTokenBytes`.
    mutating func store(_ secret: borrowing SecretBytes) -> Slot {
        let count = secret.count
        guard let size = sizes.firstIndex(where: { count <= $0.slotBytes }) else {
            preconditionFailure("the secret is longer than the largest slot")
        }
        let slot = Slot(size: UInt8(size), count: UInt16(count), index: sizes[size].take())
        unsafe secret.withUnsafeBytes { source in
            unsafe withSlot(slot) { unsafe $0.copyMemory(from: source) }
        }
        return slot
    }

    /// A copy of the secret at `slot`.
    func load(_ slot: Slot) -> SecretBytes {
        unsafe SecretBytes(count: Int(slot.count)) { target in
            unsafe withSlot(slot) { unsafe target.copyMemory(from: UnsafeRawBufferPointer($0)) }
        }
    }

    /// Wipes the secret at `slot` and gives its place back.
    mutating func release(_ slot: Slot) {
        unsafe withSlot(slot) { unsafe SecretMemory.wipe($0) }
        sizes[Int(slot.size)].free.append(slot.index)
    }

    private func withSlot(_ slot: Slot, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        let size = sizes[Int(slot.size)]
        let (piece, position) = Int(slot.index).quotientAndRemainder(dividingBy: size.perPiece)
        let offset = position * size.slotBytes
        unsafe size.pieces[piece].bytes.withUnsafeMutableBytes { memory in
            unsafe body(UnsafeMutableRawBufferPointer(rebasing: memory[offset..<(offset + Int(slot.count))]))
        }
    }
}
