/// The W3C trace context of one request or job: trace id, own span id and the sampled flag.
public struct TraceContext: Hashable, Sendable {
    /// 32 lower-case hex digits, not all zero.
    public let traceID: String
    /// 16 lower-case hex digits, not all zero.
    public let spanID: String
    public let isSampled: Bool

    /// A new trace.
    public static func new() -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        return new(using: &generator)
    }

    /// A new trace from `generator`.
    public static func new(using generator: inout some RandomNumberGenerator) -> TraceContext {
        TraceContext(
            traceID: hex(nonZero(&generator)) + hex(generator.next()), spanID: hex(nonZero(&generator)), isSampled: true
        )
    }

    /// Reads a `traceparent` of version 00; nil when it is malformed or an id is zero.
    public init?(traceparent: String) {
        let parts = traceparent.split(separator: "-", omittingEmptySubsequences: false)
        guard traceparent.utf8.count == 55, parts.count == 4, parts[0] == "00", parts[1].utf8.count == 32,
            parts[2].utf8.count == 16, parts[3].utf8.count == 2, parts.allSatisfy({ isLowerHex($0) }),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" }),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        self.init(traceID: String(parts[1]), spanID: String(parts[2]), isSampled: flags & 1 == 1)
    }

    private init(traceID: String, spanID: String, isSampled: Bool) {
        self.traceID = traceID
        self.spanID = spanID
        self.isSampled = isSampled
    }

    /// The trace of `traceparent` with a new span id, or a new trace when it is absent or invalid.
    public static func continuing(_ traceparent: String?) -> TraceContext {
        traceparent.flatMap(TraceContext.init(traceparent:))?.child() ?? new()
    }

    /// The same trace with a new span id.
    public func child() -> TraceContext {
        var generator = SystemRandomNumberGenerator()
        return TraceContext(traceID: traceID, spanID: hex(nonZero(&generator)), isSampled: isSampled)
    }

    /// The header to hand on.
    public var traceparent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }
}

/// The id of a request: 1 to 128 of `[A-Za-z0-9._-]`.
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
    public let text: String

    /// Nil unless `text`, trimmed, is a request id.
    public init?(_ text: String) {
        guard text.utf8.count <= 1024 else { return nil }
        let trimmed = trimming(text[...])
        guard (1...128).contains(trimmed.utf8.count), isASCIIWord(trimmed, also: "._-") else { return nil }
        self.text = String(trimmed)
    }

    private init(unchecked text: String) {
        self.text = text
    }

    /// A new UUID of version 4.
    public static func new() -> RequestID {
        RequestID(unchecked: randomUUID())
    }

    /// What the client sent if it is a request id, else a new one.
    public static func accepting(_ header: String?) -> RequestID {
        header.flatMap(RequestID.init) ?? new()
    }

    public var description: String { text }
}

/// A UUID of version 4 in lower case.
private func randomUUID() -> String {
    var generator = SystemRandomNumberGenerator()
    let high = generator.next() & 0xffff_ffff_ffff_0fff | 0x4000
    let low = generator.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000
    var text: [UInt8] = []
    text.reserveCapacity(36)
    for (number, hyphens) in [(high, [8, 12]), (low, [0, 4])] {
        for digit in 0..<16 {
            if hyphens.contains(digit) { text.append(UInt8(ascii: "-")) }
            text.append(hexDigit(number, digit))
        }
    }
    return String(decoding: text, as: UTF8.self)
}

private func nonZero(_ generator: inout some RandomNumberGenerator) -> UInt64 {
    for _ in 0..<8 {
        let number = generator.next()
        if number != 0 { return number }
    }
    return 1
}

private func hex(_ number: UInt64) -> String {
    String(decoding: (0..<16).map { hexDigit(number, $0) }, as: UTF8.self)
}

/// One of the 16 digits, the most significant first.
private func hexDigit(_ number: UInt64, _ position: Int) -> UInt8 {
    let value = UInt8(truncatingIfNeeded: number >> UInt64(60 - 4 * position)) & 15
    return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
}

private func isLowerHex(_ text: Substring) -> Bool {
    text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
}
