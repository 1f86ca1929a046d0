/// Writes deterministic CBOR (RFC 8949 §4.2.1): shortest integers, definite lengths, no floats, no tags.
public struct CBORWriter: Sendable {
    /// The bytes written so far.
    public private(set) var bytes: [UInt8] = []

    /// An empty writer with room for `capacity` bytes.
    public init(capacity: Int = 128) { bytes.reserveCapacity(capacity) }

    /// Appends an unsigned integer (major type 0).
    public mutating func unsigned(_ value: UInt64) { head(major: 0, value) }

    /// Appends a byte string (major type 2).
    public mutating func bytes(_ value: some Collection<UInt8>) {
        head(major: 2, UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// Appends a text string (major type 3), UTF-8.
    public mutating func text(_ value: String) {
        var value = value
        value.withUTF8 { utf8 in
            head(major: 3, UInt64(utf8.count))
            unsafe bytes.append(contentsOf: utf8)
        }
    }

    /// Opens an array; exactly `count` items must follow.
    public mutating func array(_ count: Int) { head(major: 4, UInt64(count)) }

    /// Opens a map; exactly `count` pairs must follow, keys in bytewise order of their encodings.
    public mutating func map(_ count: Int) { head(major: 5, UInt64(count)) }

    /// Appends `true` or `false`.
    public mutating func bool(_ value: Bool) { bytes.append(value ? 0xF5 : 0xF4) }

    /// Appends `null`.
    public mutating func null() { bytes.append(0xF6) }

    /// Appends a byte string, or `null` when absent.
    public mutating func optionalBytes(_ value: [UInt8]?) {
        if let value { bytes(value) } else { null() }
    }

    /// Appends a text string, or `null` when absent.
    public mutating func optionalText(_ value: String?) {
        if let value { text(value) } else { null() }
    }

    /// Appends an unsigned integer, or `null` when absent.
    public mutating func optionalUnsigned(_ value: UInt64?) {
        if let value { unsigned(value) } else { null() }
    }

    private mutating func head(major: UInt8, _ value: UInt64) {
        let major = major << 5
        switch value {
        case 0..<24:
            bytes.append(major | UInt8(value))
        case 24...0xFF:
            bytes.append(major | 24)
            bytes.append(UInt8(value))
        case 0x100...0xFFFF:
            bytes.append(major | 25)
            appendBigEndian(value, count: 2)
        case 0x1_0000...0xFFFF_FFFF:
            bytes.append(major | 26)
            appendBigEndian(value, count: 4)
        default:
            bytes.append(major | 27)
            appendBigEndian(value, count: 8)
        }
    }

    private mutating func appendBigEndian(_ value: UInt64, count: Int) {
        for index in (0..<count).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
        }
    }
}
