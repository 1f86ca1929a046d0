internal import Sodium

/// Many short secrets in few pieces of locked memory: a piece of its own would cost each a page and its guards.
struct SecretSlab: ~Copyable {
    /// Where a secret lies.
    struct Slot: Sendable {
        fileprivate let isLarge: Bool
        fileprivate let index: Int
        fileprivate let count: Int
    }

    private struct Pieces: ~Copyable {
        static let pieceBytes = 64 * 1024
        let slotBytes: Int
        var pieces: [Piece] = []
        var free: [Int] = []
        var perPiece: Int { Self.pieceBytes / slotBytes }

        init(slotBytes: Int) { self.slotBytes = slotBytes }

        mutating func take() -> Int {
            if free.isEmpty {
                let first = pieces.count * perPiece
                pieces.append(Piece(unsafe SecretBytes(count: Self.pieceBytes) { _ in }))
                free = (first..<(first + perPiece)).reversed()
            }
            return free.removeLast()
        }
    }

    private final class Piece {
        var bytes: SecretBytes
        init(_ bytes: consuming SecretBytes) { self.bytes = bytes }
    }

    /// Google's access tokens have some 220 characters today and at most 2048.
    private var small = Pieces(slotBytes: 320)
    private var large = Pieces(slotBytes: TokenAnswer.maximumTokenBytes)

    /// Copies `secret` in; it must not be longer than `TokenAnswer.maximumTokenBytes`.
    mutating func store(_ secret: borrowing SecretBytes) -> Slot {
        let isLarge = secret.count > small.slotBytes
        let slot = Slot(isLarge: isLarge, index: isLarge ? large.take() : small.take(), count: secret.count)
        unsafe secret.withUnsafeBytes { source in
            unsafe withSlot(slot) { unsafe $0.copyMemory(from: source) }
        }
        return slot
    }

    /// A copy of the secret at `slot`.
    func load(_ slot: Slot) -> SecretBytes {
        unsafe SecretBytes(count: slot.count) { target in
            unsafe withSlot(slot) { unsafe target.copyMemory(from: UnsafeRawBufferPointer($0)) }
        }
    }

    /// Wipes the secret at `slot` and gives its place back.
    mutating func release(_ slot: Slot) {
        unsafe withSlot(slot) { unsafe SecretMemory.wipe($0) }
        if slot.isLarge { large.free.append(slot.index) } else { small.free.append(slot.index) }
    }

    private func withSlot(_ slot: Slot, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        let slotBytes = slot.isLarge ? large.slotBytes : small.slotBytes
        let perPiece = slot.isLarge ? large.perPiece : small.perPiece
        let piece = slot.isLarge ? large.pieces[slot.index / perPiece] : small.pieces[slot.index / perPiece]
        let offset = slot.index % perPiece * slotBytes
        unsafe piece.bytes.withUnsafeMutableBytes { memory in
            unsafe body(UnsafeMutableRawBufferPointer(rebasing: memory[offset..<(offset + slot.count)]))
        }
    }
}
