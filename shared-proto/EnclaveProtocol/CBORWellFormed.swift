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
        case 2: _ = try bytes()
        case 3: _ = try text(atMost: Limits.maximumMessageBytes)
        case 4:
            for _ in 0..<(try array(atMost: Limits.maximumElements)) { try skip() }
            end()
        case 5: try skipMap()
        default:
            if null() { return }
            guard first == 0xF4 || first == 0xF5 else { throw .unsupported }
            _ = try bool()
        }
    }

    private mutating func skipMap() throws(CBORError) {
        let count = try map(atMost: Limits.maximumElements)
        var previous: ArraySlice<UInt8> = []
        for index in 0..<count {
            let key = try consumed { (reader: inout CBORReader) throws(CBORError) in try reader.skip() }
            guard index == 0 || previous.lexicographicallyPrecedes(key) else { throw .keyOrder }
            previous = key
            try skip()
        }
        end()
    }
}
