/// Why a message was refused by the CBOR reader.
public enum CBORError: Error, Equatable, Sendable {
    /// The input ended inside an item, or a length points past the end.
    case truncated
    /// Bytes are left after the outermost item.
    case trailingBytes
    /// An integer or length is not in its shortest form.
    case notShortest
    /// Indefinite lengths, tags, floats, negative integers, undefined or reserved values.
    case unsupported
    /// The item is of another type than the message has at this place.
    case unexpectedType
    /// A text string is not valid UTF-8.
    case invalidText
    /// Map keys are not strictly ascending: a duplicate, or not deterministic.
    case keyOrder
    /// Nested deeper, or more elements, than `Limits` allow.
    case tooDeep, tooMany
    /// A value is outside the range that the message allows.
    case outOfRange
}

/// Reads deterministic CBOR (RFC 8949 §4.2.1) from one bounded buffer, item by item.
///
/// Lengths are compared with what is left before anything is allocated, so a message costs at most its own size.
///
/// Documents that others encode are read with `init(anyEncoding:)`: longer heads and indefinite lengths are accepted
/// too, every bound stays. Whether a key comes twice is then the caller's to check.
public struct CBORReader: Sendable {
    private let input: ArraySlice<UInt8>
    private var position: Int
    private var depth = 0
    private(set) var isDeterministic = true
    /// A bit per depth: the array or map open there ends with a break.
    private var endsWithBreak: UInt16 = 0

    /// A reader at the start of `input`.
    public init(_ input: some Sequence<UInt8>) {
        self.input = ArraySlice(Array(input))
        position = self.input.startIndex
    }

    /// A reader at the start of `input`, without a copy.
    public init(_ input: [UInt8]) {
        self.input = input[...]
        position = 0
    }

    /// A reader of well-formed CBOR in any encoding, at the start of `input`.
    public init(anyEncoding input: [UInt8]) {
        self.init(input)
        isDeterministic = false
    }

    /// Bytes read so far.
    public var offset: Int { position - input.startIndex }

    /// Bytes not read yet.
    public var remaining: Int { input.endIndex - position }

    /// Ends reading; throws `.trailingBytes` if anything is left.
    public func finish() throws(CBORError) {
        guard position == input.endIndex else { throw .trailingBytes }
    }

    /// Reads an unsigned integer.
    public mutating func unsigned() throws(CBORError) -> UInt64 { try head(major: 0) }

    /// Reads an unsigned integer within `range`.
    public mutating func unsigned(in range: ClosedRange<UInt64>) throws(CBORError) -> UInt64 {
        let value = try unsigned()
        guard range.contains(value) else { throw .outOfRange }
        return value
    }

    /// Reads a byte string of at most `limit` bytes.
    ///
    /// Never inlined: optimised, Swift 6.3 frees an array that the caller drops before it writes the bytes into it.
    @inline(never)
    public mutating func bytes(atMost limit: Int = Limits.maximumMessageBytes) throws(CBORError) -> [UInt8] {
        Array(try slice(major: 2, atMost: limit))
    }

    /// Reads a byte string of exactly `count` bytes.
    public mutating func bytes(exactly count: Int) throws(CBORError) -> [UInt8] {
        let value = try bytes(atMost: count)
        guard value.count == count else { throw .outOfRange }
        return value
    }

    /// Reads a text string of at most `limit` bytes of UTF-8.
    public mutating func text(atMost limit: Int = Limits.maximumFieldBytes) throws(CBORError) -> String {
        guard let text = String(validating: try slice(major: 3, atMost: limit), as: UTF8.self) else {
            throw .invalidText
        }
        return text
    }

    /// Reads the head of an array of exactly `count` items; pair with `end()`.
    public mutating func array(exactly count: Int) throws(CBORError) {
        guard try array(atMost: count) == count else { throw .outOfRange }
    }

    /// Reads the head of an array of at most `limit` items and returns their number; pair with `end()`.
    public mutating func array(atMost limit: Int) throws(CBORError) -> Int { try open(major: 4, atMost: limit) }

    /// Reads the head of a map of at most `limit` pairs; pair with `end()`.
    public mutating func map(atMost limit: Int) throws(CBORError) -> Int { try open(major: 5, atMost: limit) }

    /// Leaves the innermost array or map.
    public mutating func end() {
        let bit: UInt16 = 1 << depth
        if endsWithBreak & bit != 0 { position += 1 }
        endsWithBreak &= ~bit
        depth -= 1
    }

    /// Reads `true` or `false`.
    public mutating func bool() throws(CBORError) -> Bool {
        guard position < input.endIndex else { throw .truncated }
        switch input[position] {
        case 0xF4: position += 1; return false
        case 0xF5: position += 1; return true
        default: throw .unexpectedType
        }
    }

    /// Consumes a `null` if one is next.
    public mutating func null() -> Bool {
        guard position < input.endIndex, input[position] == 0xF6 else { return false }
        position += 1
        return true
    }

    /// Reads a byte string or `null`.
    public mutating func optionalBytes(atMost limit: Int) throws(CBORError) -> [UInt8]? {
        null() ? nil : try bytes(atMost: limit)
    }

    /// Reads a text string or `null`.
    public mutating func optionalText(atMost limit: Int = Limits.maximumFieldBytes) throws(CBORError) -> String? {
        null() ? nil : try text(atMost: limit)
    }

    /// Reads an unsigned integer or `null`.
    public mutating func optionalUnsigned() throws(CBORError) -> UInt64? {
        null() ? nil : try unsigned()
    }

    /// Major type of the next item, 0–7; nil at the end.
    public var nextMajor: UInt8? { peek().map { $0 >> 5 } }

    /// The next byte, unread.
    func peek() -> UInt8? { position < input.endIndex ? input[position] : nil }

    /// The bytes that `read` consumes.
    mutating func consumed(
        by read: (inout CBORReader) throws(CBORError) -> Void
    ) throws(CBORError) -> ArraySlice<UInt8> {
        let start = position
        try read(&self)
        return input[start..<position]
    }

    /// Enters an array or map: the number of its elements or pairs, or nil where a break ends it.
    mutating func enter(major: UInt8, atMost limit: Int) throws(CBORError) -> Int? {
        let isEndedByBreak = beginsIndefinite(major)
        let count = isEndedByBreak ? 0 : try head(major: major)
        guard count <= UInt64(min(limit, Limits.maximumElements)) else { throw .tooMany }
        guard count <= UInt64(remaining) else { throw .truncated }
        depth += 1
        guard depth <= Limits.maximumDepth else { throw .tooDeep }
        if isEndedByBreak { endsWithBreak |= 1 << depth }
        return isEndedByBreak ? nil : Int(count)
    }

    private mutating func open(major: UInt8, atMost limit: Int) throws(CBORError) -> Int {
        if let count = try enter(major: major, atMost: limit) { return count }
        var ahead = self
        // An error is met where it is, not where the container begins.
        defer { if ahead.peek() != Self.breakByte { position = ahead.position } }
        var count = 0
        while ahead.peek() != Self.breakByte {
            guard count < min(limit, Limits.maximumElements) else { throw .tooMany }
            try ahead.skip()
            if major == 5 { try ahead.skip() }
            count += 1
        }
        return count
    }

    static let breakByte: UInt8 = 0xFF

    /// Consumes the head of an indefinite item of `major`, if one is next and may be.
    private mutating func beginsIndefinite(_ major: UInt8) -> Bool {
        guard !isDeterministic, peek() == major << 5 | 0x1F else { return false }
        position += 1
        return true
    }

    mutating func slice(major: UInt8, atMost limit: Int) throws(CBORError) -> ArraySlice<UInt8> {
        guard beginsIndefinite(major) else { return try definiteSlice(major: major, atMost: limit) }
        var whole: [UInt8] = []
        while peek() != Self.breakByte {
            let chunk = try definiteSlice(major: major, atMost: limit - whole.count)
            guard major != 3 || String(validating: chunk, as: UTF8.self) != nil else { throw .invalidText }
            whole += chunk
        }
        position += 1
        return whole[...]
    }

    private mutating func definiteSlice(major: UInt8, atMost limit: Int) throws(CBORError) -> ArraySlice<UInt8> {
        let count = try head(major: major)
        guard count <= UInt64(remaining) else { throw .truncated }
        guard count <= UInt64(limit) else { throw .outOfRange }
        defer { position += Int(count) }
        return input[position..<(position + Int(count))]
    }

    private mutating func head(major: UInt8) throws(CBORError) -> UInt64 {
        guard position < input.endIndex else { throw .truncated }
        let first = input[position]
        guard first >> 5 == major else {
            throw first >> 5 == 6 || first >> 5 == 1 || first == 0xF7 || first > 0xF8 ? .unsupported : .unexpectedType
        }
        position += 1
        let short = first & 0x1F
        if short < 24 { return UInt64(short) }
        guard short <= 27 else { throw .unsupported }
        let count = 1 << Int(short - 24)
        guard remaining >= count else { throw .truncated }
        var value: UInt64 = 0
        for byte in input[position..<(position + count)] { value = value << 8 | UInt64(byte) }
        position += count
        let least: [UInt64] = [24, 0x100, 0x1_0000, 0x1_0000_0000]
        guard !isDeterministic || value >= least[Int(short - 24)] else { throw .notShortest }
        return value
    }
}
