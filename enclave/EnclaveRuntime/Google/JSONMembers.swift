/// Finds the members of one JSON object in place (RFC 8259), without copying a byte of it.
///
/// Made for bodies that hold tokens: what is read stays where it lies, in locked memory. Anything but one complete
/// object is refused, as is nesting beyond `maximumDepth`.
@safe struct JSONMembers {
    /// A value at the top level, as offsets into the text.
    enum Value: Equatable {
        /// Between the quotes, escapes unresolved.
        case text(Range<Int>)
        /// A number as it stands.
        case number(Range<Int>)
        /// `null`.
        case null
        /// `true`, `false`, an array or an object.
        case other
    }

    private static let maximumDepth = 16
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    private init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = bytes }

    /// Calls `member` with name and value of each top-level member in turn; false unless all of `bytes` is one object.
    static func scan(_ bytes: UnsafeRawBufferPointer, _ member: (_ name: Range<Int>, _ value: Value) -> Void) -> Bool {
        var scanner = unsafe JSONMembers(bytes)
        scanner.skipBlanks()
        guard scanner.object(depth: 1, member) else { return false }
        scanner.skipBlanks()
        return scanner.position == bytes.count
    }

    private var next: UInt8? { unsafe position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func object(depth: Int, _ member: (Range<Int>, Value) -> Void) -> Bool {
        guard depth <= Self.maximumDepth, take("{") else { return false }
        skipBlanks()
        if take("}") { return true }
        while true {
            skipBlanks()
            guard let name = string() else { return false }
            skipBlanks()
            guard take(":") else { return false }
            skipBlanks()
            guard let value = value(depth: depth) else { return false }
            member(name, value)
            skipBlanks()
            if take(",") { continue }
            return take("}")
        }
    }

    private mutating func array(depth: Int) -> Bool {
        guard depth <= Self.maximumDepth, take("[") else { return false }
        skipBlanks()
        if take("]") { return true }
        while true {
            skipBlanks()
            guard value(depth: depth) != nil else { return false }
            skipBlanks()
            if take(",") { continue }
            return take("]")
        }
    }

    private mutating func value(depth: Int) -> Value? {
        switch next {
        case UInt8(ascii: "\""): return string().map { .text($0) }
        case UInt8(ascii: "{"): return object(depth: depth + 1) { _, _ in } ? .other : nil
        case UInt8(ascii: "["): return array(depth: depth + 1) ? .other : nil
        case UInt8(ascii: "t"): return word("true")
        case UInt8(ascii: "f"): return word("false")
        case UInt8(ascii: "n"): return word("null").map { _ in .null }
        default: return number()
        }
    }

    private mutating func word(_ text: StaticString) -> Value? {
        for offset in 0..<text.utf8CodeUnitCount {
            guard unsafe next == text.utf8Start[offset] else { return nil }
            position += 1
        }
        return .other
    }

    private mutating func number() -> Value? {
        let start = position
        _ = take("-")
        guard digits(leadingZero: false) else { return nil }
        if take("."), !digits(leadingZero: true) { return nil }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard digits(leadingZero: true) else { return nil }
        }
        return .number(start..<position)
    }

    private mutating func digits(leadingZero: Bool) -> Bool {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { return false }
        guard !leadingZero, position > start + 1 else { return true }
        return unsafe bytes[start] != UInt8(ascii: "0")
    }

    private mutating func string() -> Range<Int>? {
        guard take("\"") else { return nil }
        let start = position
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return start..<(position - 1)
            case UInt8(ascii: "\\"): guard escape() else { return nil }
            case 0..<0x20: return nil
            default: break
            }
        }
        return nil
    }

    private mutating func escape() -> Bool {
        guard let byte = next else { return false }
        position += 1
        guard byte == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(byte) }
        for _ in 0..<4 {
            guard let digit = next, hexadecimalValue(digit) != nil else { return false }
            position += 1
        }
        return true
    }
}

/// The value of a hexadecimal digit.
func hexadecimalValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes at `range` are exactly `text`.
    func holds(_ text: StaticString, at range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for (offset, index) in range.enumerated() where unsafe self[index] != text.utf8Start[offset] { return false }
        return true
    }

    /// What the inside of a JSON string at `range` stands for, nil beyond what `SecretBuffer.appendUnescaped` takes.
    func text(at range: Range<Int>) -> String? {
        var buffer = SecretBuffer(capacity: Swift.max(1, range.count))
        guard unsafe buffer.appendUnescaped(slice(range)) else { return nil }
        return unsafe buffer.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
    }

    /// The bytes at `range`.
    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: self[range])
    }
}
