/// What every request carries before its body: `[method, deadline ms, request id, traceparent / null, body]`.
public struct CallEnvelope: WireMessage, Equatable {
    /// Raw number; a number outside `Method` is answered `unknown_method`.
    public let method: UInt16
    /// Milliseconds the caller still waits, at most `Limits.maximumDeadlineMilliseconds`.
    public let deadlineMilliseconds: UInt32
    /// 1–128 characters of `[A-Za-z0-9._-]`; appears in logs of both sides.
    public let requestID: String
    /// W3C trace context, version 00, 55 characters, or nil.
    public let traceparent: String?
    /// Encoding of the method's request message.
    public let body: [UInt8]

    /// An envelope; the values are checked by the reader, not here.
    public init(
        method: UInt16, deadlineMilliseconds: UInt32, requestID: String, traceparent: String?, body: [UInt8]
    ) {
        self.method = method
        self.deadlineMilliseconds = deadlineMilliseconds
        self.requestID = requestID
        self.traceparent = traceparent
        self.body = body
    }

    public func write(to writer: inout CBORWriter) {
        writer.tuple(method, deadlineMilliseconds, requestID, traceparent, body)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 5)
        method = UInt16(try reader.unsigned(in: 0...0xFFFF))
        deadlineMilliseconds = UInt32(try reader.unsigned(in: 1...Limits.maximumDeadlineMilliseconds))
        requestID = try reader.requestID()
        traceparent = try reader.optionalText(atMost: 55)
        guard traceparent == nil || traceparent?.utf8.count == 55 else { throw .outOfRange }
        body = try reader.bytes()
        reader.end()
    }
}

extension CBORReader {
    /// Reads a request id: 1–128 characters of `[A-Za-z0-9._-]`.
    mutating func requestID() throws(CBORError) -> String {
        let text = try text(atMost: Limits.maximumRequestIDLength)
        guard !text.isEmpty, text.utf8.allSatisfy(isRequestIDByte) else { throw .outOfRange }
        return text
    }
}

private func isRequestIDByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
    default: false
    }
}
