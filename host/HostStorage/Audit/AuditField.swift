import FoundationEssentials

/// What a field of an audit event may hold; whatever does not fit its kind is stored as `[REDACTED]`.
enum AuditValue: Sendable {
    case id(UUID)
    /// `[A-Za-z0-9._:@/+=-]{1,128}`
    case ref(String)
    /// As `ref`, to 512 characters.
    case measurement(String)
    /// `[A-Za-z0-9_.:/-]{1,64}`
    case code(String)
    case int(Int)
    case bool(Bool)
    /// Micro-dollars, stored as dollars with six decimals.
    case usd(Int)
    /// `HH:MM`
    case localTime(String)
    /// An IANA name: as `code`, and `+`.
    case timeZone(String)
    /// `YYYY-MM-DD`
    case date(String)
    /// RFC 3339 in UTC, whole seconds.
    case time(Date)
    /// One of the redirect URIs, judged by the caller's configuration; here its characters and length.
    case uri(String)

    static let redacted = "[REDACTED]"

    /// The text that is stored: made of characters that need no escaping in JSON.
    var stored: String {
        switch self {
        case .id(let id): id.uuidString.lowercased()
        case .ref(let text): text.if(1...128, \.isReference)
        case .measurement(let text): text.if(1...512, \.isReference)
        case .code(let text): text.if(1...64, \.isCode)
        case .int(let number): String(number)
        case .bool(let flag): flag ? "true" : "false"
        case .usd(let micro):
            "\(micro / 1_000_000)." + String(String(1_000_000 + max(0, micro) % 1_000_000).dropFirst())
        case .localTime(let text): text.matches([2, 2], separator: ":") ? text : Self.redacted
        case .timeZone(let text): text.if(1...64) { $0.isCode || $0 == UInt8(ascii: "+") }
        case .time(let date): Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(.down)).formatted(.iso8601)
        case .date(let text): text.matches([4, 2, 2], separator: "-") ? text : Self.redacted
        case .uri(let text): text.contains("://") ? text.if(1...256, \.isURI) : Self.redacted
        }
    }
}

extension String {
    fileprivate func `if`(_ length: ClosedRange<Int>, _ allowed: (UInt8) -> Bool) -> String {
        length.contains(utf8.count) && utf8.allSatisfy(allowed) ? self : AuditValue.redacted
    }

    /// Digits only, in groups of the given lengths.
    fileprivate func matches(_ groups: [Int], separator: Character) -> Bool {
        let parts = split(separator: separator, omittingEmptySubsequences: false)
        return parts.map(\.utf8.count) == groups && parts.allSatisfy { $0.utf8.allSatisfy(\.isDigit) }
    }
}

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
    fileprivate var isAlphanumeric: Bool {
        isDigit || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
    }
    fileprivate var isCode: Bool { isAlphanumeric || "_.:/-".utf8.contains(self) }
    fileprivate var isReference: Bool { isAlphanumeric || "._:@/+=-".utf8.contains(self) }
    fileprivate var isURI: Bool { isAlphanumeric || "._:/-~%".utf8.contains(self) }
}
