extension EnvironmentVariable.Rule {
    /// What `value` must be and is not; nil when it is well-formed.
    func violation(of value: String) -> String? {
        switch self {
        case .choice(let choices):
            choices.contains(value) ? nil : "must be one of \(choices.joined(separator: ", "))"
        case .boolean:
            parseBoolean(value) == nil ? "must be true, 1, yes, on, false, 0, no or off" : nil
        case .integer(let range):
            parseInteger(value).map(range.contains) == true
                ? nil : "must be a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .decimal(let range):
            parseDecimal(value).map(range.contains) == true
                ? nil : "must be a decimal number from \(range.lowerBound) to \(range.upperBound)"
        case .text(let range, let alphabet):
            range.contains(value.unicodeScalars.count) && alphabet.allows(value)
                ? nil : "must be \(range.lowerBound) to \(range.upperBound) \(alphabet.description)"
        case .csv(let maximum):
            (1...maximum).contains(parseCSV(value).count)
                ? nil : "must be a comma-separated list of 1 to \(maximum) entries"
        case .url(let schemes, let query):
            ServiceURL(value, schemes: schemes, query: query) == nil
                ? "must be a URL (\(schemes.sorted().joined(separator: ", "))) with a host and without user info, "
                    + (query ? "or fragment" : "query or fragment") : nil
        case .socketAddress(let orOff):
            (orOff && value == "off") || BindAddress(value) != nil
                ? nil : "must be address:port\(orOff ? " or off" : "")"
        case .path:
            value.utf8.count <= 4096 && !value.utf8.contains(0) ? nil : "must be a path of at most 4096 bytes"
        case .form:
            nil
        }
    }
}

extension EnvironmentVariable.OutsideLocal {
    /// Why `value` is refused in staging and production; nil when it is not.
    func violation(of value: String, rule: EnvironmentVariable.Rule, defaultText: String?) -> String? {
        switch self {
        case .same, .checked: nil
        case .refused: "must not be set outside local"
        case .https: value.lowercased().hasPrefix("https://") ? nil : "must be https outside local"
        case .only(let only): rule.canonical(value) == only ? nil : "must be \(only) outside local"
        case .not(let refused): rule.canonical(value) == refused ? "must not be \(refused) outside local" : nil
        case .defaultOnly:
            defaultText.map(rule.canonical) == rule.canonical(value) ? nil : "must not be changed outside local"
        }
    }
}

extension EnvironmentVariable.Rule {
    /// One spelling for equal values.
    func canonical(_ value: String) -> String {
        switch self {
        case .boolean: parseBoolean(value).map { $0 ? "true" : "false" } ?? value
        case .integer: parseInteger(value).map { String($0) } ?? value
        case .url(let schemes, let query): ServiceURL(value, schemes: schemes, query: query)?.text ?? value
        default: value
        }
    }
}

func parseBoolean(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "1", "yes", "on": true
    case "false", "0", "no", "off": false
    default: nil
    }
}

/// Decimal digits only, no sign.
func parseInteger(_ text: String) -> Int? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return Int(text)
}

/// Digits with at most one point.
func parseDecimal(_ text: String) -> Double? {
    guard text.utf8.count <= 32, text.utf8.first != 0x2e, text.utf8.last != 0x2e,
        text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2e })
    else { return nil }
    return Double(text)
}

/// Entries trimmed, blank ones dropped.
func parseCSV(_ text: String) -> [String] {
    text.split(separator: ",").map { String(trimming($0)) }.filter { !$0.isEmpty }
}

extension ServiceURL {
    /// What a reader returns after a violation; it is never used.
    static let standIn = ServiceURL(standIn: ())

    private init(standIn: Void) {
        text = "https://invalid"
        scheme = "https"
        host = "invalid"
        port = nil
        path = ""
        query = nil
    }
}
