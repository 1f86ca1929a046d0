/// Any CBOR item, for writing what deterministic encoders refuse to write, and for taking documents apart.
public indirect enum CBORItem: Equatable, Sendable {
    case unsigned(UInt64)
    /// −1 − value
    case negative(UInt64)
    case bytes([UInt8])
    case text(String)
    case array([CBORItem], isIndefinite: Bool = false)
    case map([Pair], isIndefinite: Bool = false)
    case tag(UInt64, CBORItem)
    case bool(Bool)
    case null
    /// Bytes written as they are.
    case raw([UInt8])

    /// A key and its value; keys may be equal.
    public struct Pair: Equatable, Sendable {
        public var key: CBORItem
        public var value: CBORItem

        public init(_ key: CBORItem, _ value: CBORItem) {
            self.key = key
            self.value = value
        }
    }

    public func encoded() -> [UInt8] {
        switch self {
        case .unsigned(let value): Self.head(0, value)
        case .negative(let value): Self.head(1, value)
        case .bytes(let bytes): Self.head(2, UInt64(bytes.count)) + bytes
        case .text(let text): Self.head(3, UInt64(text.utf8.count)) + Array(text.utf8)
        case .array(let items, let isIndefinite): Self.list(4, items.count, items, isIndefinite)
        case .map(let pairs, let isIndefinite):
            Self.list(5, pairs.count, pairs.flatMap { [$0.key, $0.value] }, isIndefinite)
        case .tag(let number, let item): Self.head(6, number) + item.encoded()
        case .bool(let value): [value ? 0xf5 : 0xf4]
        case .null: [0xf6]
        case .raw(let bytes): bytes
        }
    }

    /// The head of an item in its shortest form, or in eight bytes.
    public static func head(_ major: UInt8, _ value: UInt64, isLong: Bool = false) -> [UInt8] {
        let size =
            isLong ? 8 : value < 24 ? 0 : value < 0x100 ? 1 : value < 0x1_0000 ? 2 : value < 0x1_0000_0000 ? 4 : 8
        guard size > 0 else { return [major << 5 | UInt8(value)] }
        let short = UInt8(24 + size.trailingZeroBitCount)
        return [major << 5 | short]
            + (0..<size).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    private static func list(_ major: UInt8, _ count: Int, _ items: [CBORItem], _ isIndefinite: Bool) -> [UInt8] {
        let content = items.flatMap { $0.encoded() }
        return isIndefinite ? [major << 5 | 31] + content + [0xff] : head(major, UInt64(count)) + content
    }
}
