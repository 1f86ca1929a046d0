/// What can be an item of a message: a message itself, or a value with one encoding in deterministic CBOR.
public protocol WireValue {
    /// Appends the one encoding of this value.
    func write(to writer: inout CBORWriter)
}

extension CBORWriter {
    /// Appends an array of exactly these items.
    mutating func tuple<each Item: WireValue>(_ item: repeat each Item) {
        var count = 0
        for _ in repeat each item { count += 1 }
        array(count)
        for item in repeat each item { item.write(to: &self) }
    }
}

extension CBORReader {
    /// Reads one of the numbers that `Choice` knows.
    mutating func choice<Choice: RawRepresentable<UInt64>>() throws(CBORError) -> Choice {
        guard let choice = Choice(rawValue: try unsigned()) else { throw .outOfRange }
        return choice
    }

    /// Reads the version of a data key.
    mutating func keyVersion() throws(CBORError) -> UInt32 { UInt32(try unsigned(in: 1...0x7FFF_FFFF)) }
}

extension UInt16: WireValue { public func write(to writer: inout CBORWriter) { writer.unsigned(UInt64(self)) } }
extension UInt32: WireValue { public func write(to writer: inout CBORWriter) { writer.unsigned(UInt64(self)) } }
extension UInt64: WireValue { public func write(to writer: inout CBORWriter) { writer.unsigned(self) } }
extension Bool: WireValue { public func write(to writer: inout CBORWriter) { writer.bool(self) } }
extension String: WireValue { public func write(to writer: inout CBORWriter) { writer.text(self) } }
extension [UInt8]: WireValue { public func write(to writer: inout CBORWriter) { writer.bytes(self) } }
extension UserID: WireValue { public func write(to writer: inout CBORWriter) { writer.uuid(uuid) } }
extension ConnectorID: WireValue { public func write(to writer: inout CBORWriter) { writer.uuid(uuid) } }
extension OAuthStateID: WireValue { public func write(to writer: inout CBORWriter) { writer.uuid(uuid) } }

/// Nil is `null`.
extension Optional: WireValue where Wrapped: WireValue {
    public func write(to writer: inout CBORWriter) {
        if let self { self.write(to: &writer) } else { writer.null() }
    }
}
