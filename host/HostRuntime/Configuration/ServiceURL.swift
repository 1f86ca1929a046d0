import Foundation

/// An absolute URL with a host and no user info or fragment.
public struct ServiceURL: Hashable, Sendable, CustomStringConvertible {
    /// The URL as given, without a slash at its end.
    public let text: String
    public let scheme: String
    /// Lower case; IPv6 without brackets.
    public let host: String
    /// The port stated, if any.
    public let port: Int?
    /// The path as given; empty or beginning with a slash.
    public let path: String
    public let query: String?

    public var isHTTPS: Bool { scheme == "https" }
    /// The port stated or that of the scheme.
    public var effectivePort: Int { port ?? (scheme == "https" ? 443 : 80) }
    public var description: String { text }

    /// Nil unless `text` is an absolute URL of one of `schemes`; a query only where `query` allows one.
    public init?(_ text: String, schemes: Set<String> = ["http", "https"], query allowsQuery: Bool = false) {
        guard text.utf8.count <= 2048, TextAlphabet.visible.allows(text),
            let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            schemes.contains(scheme), let host = parts.host, !host.isEmpty, parts.user == nil, parts.password == nil,
            parts.fragment == nil, allowsQuery || parts.query == nil,
            parts.port.map({ (1...65535).contains($0) }) ?? true
        else { return nil }
        let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        guard isASCIIWord(bare, also: bare.contains(":") ? ".:" : ".-_") else { return nil }
        self.scheme = scheme
        self.host = bare.lowercased()
        port = parts.port
        path = parts.percentEncodedPath
        query = parts.percentEncodedQuery
        self.text = query == nil && text.hasSuffix("/") ? String(text.dropLast()) : text
    }
}
