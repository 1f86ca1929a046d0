import Sodium
import Testing

/// Bytes from hexadecimal text; blanks between digits are for the reader.
func hex(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> [UInt8] {
    guard let bytes = Hex.decode(text.filter { !$0.isWhitespace }) else {
        Issue.record("not hexadecimal", sourceLocation: sourceLocation)
        return []
    }
    return bytes
}

func secret(_ bytes: [UInt8]) -> SecretBytes {
    SecretBytes(copying: bytes)
}

func equal(_ left: consuming SecretBytes, _ right: consuming SecretBytes) -> Bool {
    SecretBytes.constantTimeEqual(left, right)
}

func reveal(_ secret: borrowing SecretBytes) -> [UInt8] {
    secret.withUnsafeBytes { Array($0) }
}

extension Array where Element == UInt8 {
    func flipped(_ index: Int, bit: UInt8 = 1) -> [UInt8] {
        var copy = self
        copy[index] ^= bit
        return copy
    }
}
