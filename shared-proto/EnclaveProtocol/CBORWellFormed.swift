extension CBORReader {
    /// Checks that `input` is exactly one item of the subset that this protocol allows.
    ///
    /// Deterministic per RFC 8949 §4.2.1: shortest heads, definite lengths, map keys strictly ascending by their
    /// encodings (so never twice); at most `Limits.maximumDepth` deep. Used where bytes are kept as they came.
    ///
    /// - Throws: the first `CBORError` met.
    public static func checkWellFormed(_ input: [UInt8]) throws(CBORError) {
        var reader = CBORReader(input)
        try reader.skip()
        try reader.finish()
    }

    /// Reads one item of any type and drops it.
    public mutating func skip() throws(CBORError) {
        guard let first = peek() else { throw .truncated }
        switch first >> 5 {
        case 0: _ = try unsigned()
        // Without a copy: Swift 6.3 optimises an array that nobody reads into a write to memory it has freed.
        case 2: _ = try slice(major: 2, atMost: Limits.maximumMessageBytes)
        case 3:
            let text = try slice(major: 3, atMost: Limits.maximumMessageBytes)
            guard String(validating: text, as: UTF8.self) != nil else { throw .invalidText }
        case 4: try skipItems(major: 4) { (reader: inout CBORReader) throws(CBORError) in try reader.skip() }
        case 5: try skipMap()
        default:
            if null() { return }
            guard first == 0xF4 || first == 0xF5 else { throw .unsupported }
            _ = try bool()
        }
    }

    private mutating func skipMap() throws(CBORError) {
        var previous: ArraySlice<UInt8>?
        try skipItems(major: 5) { (reader: inout CBORReader) throws(CBORError) in
            let key = try reader.consumed { (reader: inout CBORReader) throws(CBORError) in try reader.skip() }
            let ascends = previous.map { $0.lexicographicallyPrecedes(key) } ?? true
            guard ascends || !reader.isDeterministic else { throw .keyOrder }
            previous = key
            try reader.skip()
        }
    }

    private mutating func skipItems(
        major: UInt8, _ skipItem: (inout CBORReader) throws(CBORError) -> Void
    ) throws(CBORError) {
        let count = try enter(major: major, atMost: Limits.maximumElements)
        var read = 0
        while count.map({ read < $0 }) ?? (peek() != Self.breakByte) {
            guard read < Limits.maximumElements else { throw .tooMany }
            try skipItem(&self)
            read += 1
        }
        end()
    }
}
