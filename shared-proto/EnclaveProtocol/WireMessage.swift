/// A value with exactly one encoding in deterministic CBOR; every request, answer and hello is one.
public protocol WireMessage: WireValue, Sendable {
    /// Reads one value; anything that `write(to:)` would not produce is refused.
    init(from reader: inout CBORReader) throws(CBORError)
}

extension WireMessage {
    /// The encoding, deterministic CBOR.
    public func encoded() -> [UInt8] {
        var writer = CBORWriter()
        write(to: &writer)
        return writer.bytes
    }

    /// Decodes a whole message; trailing bytes are refused.
    public init(decoding bytes: [UInt8]) throws(CBORError) {
        var reader = CBORReader(bytes)
        try self.init(from: &reader)
        try reader.finish()
    }
}

/// An answer without content: the empty array.
public struct EmptyMessage: WireMessage, Equatable {
    /// The only value.
    public init() {}
    public func write(to writer: inout CBORWriter) { writer.array(0) }
    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 0)
        reader.end()
    }
}
