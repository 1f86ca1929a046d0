/// A configured URL in the parts that egress needs: no user info, query or fragment.
public struct ProviderURL: Hashable, Sendable {
    /// `https`, or `http` where a row allows it.
    public let scheme: String
    /// Host name or address, lower case, without brackets.
    public let host: String
    /// Port, given or implied.
    public let port: UInt16
    /// Path without a slash at its end; empty for the root.
    public let path: String
    /// The URL as given, without a slash at its end.
    public let text: String

    /// Parses `http(s)://host[:port][/path]`; nil for anything else.
    public init?(_ text: String) {
        guard let separator = text.range(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "https" || scheme == "http", text.utf8.count <= 2048, text.utf8.allSatisfy(isURLByte) else {
            return nil
        }
        let rest = text[separator.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let (host, port) = Self.authority(rest[..<slash], standardPort: scheme == "https" ? 443 : 80) else {
            return nil
        }
        self.scheme = scheme
        self.host = host
        self.port = port
        let path = rest[slash...]
        self.path = String(path.hasSuffix("/") ? path.dropLast() : path)
        self.text = text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    /// `host:port`, by which egress is allowed.
    public var origin: String { "\(host):\(port)" }

    private static func authority(_ text: Substring, standardPort: UInt16) -> (String, UInt16)? {
        var host = text
        var port = standardPort
        if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
            guard let given = UInt16(text[text.index(after: colon)...]), given > 0 else { return nil }
            host = text[..<colon]
            port = given
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(where: { $0 == ":" || $0 == "[" || $0 == "]" }) {
            return nil
        }
        guard !host.isEmpty, host.utf8.count <= 253 else { return nil }
        return (host.lowercased(), port)
    }
}

private func isURLByte(_ byte: UInt8) -> Bool {
    guard byte > 0x20, byte < 0x7F else { return false }
    return !"@?#\"<>\\^`{|}".utf8.contains(byte)
}

extension String {
    fileprivate func range(of needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
            start = index(after: start)
        }
        return nil
    }
}
