import Foundation

/// A libpq connection URL; the text is a secret, for it may hold a password.
public struct DatabaseURL: Sendable {
    /// For `PQconnectStart`.
    public let text: Secret
    /// Whether no one on the network can read or fake the connection: verified TLS, Unix socket or loopback.
    public let isProtected: Bool
    /// The database named in the path, if any.
    public let databaseName: String?

    /// Nil unless `text` begins with `postgres://` or `postgresql://` and can be taken apart.
    public init?(_ text: String) {
        guard text.utf8.count <= 4096, TextAlphabet.visible.allows(text),
            let separator = text.firstRange(of: "://"),
            ["postgres", "postgresql"].contains(text[..<separator.lowerBound]), !text.contains("#")
        else { return nil }
        var rest = text[separator.upperBound...]
        var parameters: [String: String] = [:]
        if let mark = rest.firstIndex(of: "?") {
            for pair in rest[rest.index(after: mark)...].split(separator: "&") {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, let name = String(parts[0]).removingPercentEncoding,
                    let value = String(parts[1]).removingPercentEncoding
                else { return nil }
                parameters[name] = value
            }
            rest = rest[..<mark]
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let name = rest[slash...].dropFirst()
        var authority = rest[..<slash]
        if let at = authority.lastIndex(of: "@") { authority = authority[authority.index(after: at)...] }
        guard let hosts = Self.hosts(authority), let database = String(name).removingPercentEncoding else { return nil }
        self.text = Secret(text)
        databaseName = parameters["dbname"] ?? (database.isEmpty ? nil : database)
        let addressed = (parameters["hostaddr"] ?? parameters["host"]).map { Self.split($0) } ?? hosts
        // A service file may name any host.
        isProtected =
            parameters["service"] == nil
            && (parameters["sslmode"] == "verify-full" || addressed.allSatisfy(isLocalHost))
    }

    private static func split(_ text: String) -> [String] {
        text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    private static func hosts(_ authority: Substring) -> [String]? {
        var hosts: [String] = []
        for entry in split(String(authority)) {
            let hasPort = entry.contains(":") && !entry.hasSuffix("]")
            if hasPort, entry.hasPrefix(":") {
                hosts.append("")
            } else if hasPort {
                guard let (host, _) = splitHostPort(entry, ports: 1...65535) else { return nil }
                hosts.append(host)
            } else {
                hosts.append(entry.hasPrefix("[") ? String(entry.dropFirst().dropLast()) : entry)
            }
        }
        let decoded = hosts.compactMap(\.removingPercentEncoding)
        return decoded.count == hosts.count ? decoded : nil
    }
}

/// Whether libpq or Redis reach `host` without leaving the machine; a blank host is left to the environment of libpq.
func isLocalHost(_ host: String) -> Bool {
    host.hasPrefix("/") || host.hasPrefix("@") || host.lowercased() == "localhost"
        || IPAddress(host)?.isLoopback == true
}

/// A Redis connection URL, taken apart.
public struct RedisURL: Sendable {
    /// How the server is reached.
    public enum Transport: Hashable, Sendable {
        case tcp(host: String, port: Int, tls: Bool)
        case unix(path: String)
    }

    public let transport: Transport
    public let username: String?
    public let password: Secret?
    public let database: Int

    /// Whether no one on the network can read or fake the connection: TLS, Unix socket or loopback.
    public var isProtected: Bool {
        switch transport {
        case .tcp(let host, _, let tls): tls || isLocalHost(host)
        case .unix: true
        }
    }

    /// Reads `redis://`, `rediss://` (`[user:password@]host[:port][/database]`) or `unix:///path[?db=database]`.
    public init?(_ text: String) {
        guard text.utf8.count <= 4096, TextAlphabet.visible.allows(text), let parts = URLComponents(string: text),
            parts.fragment == nil
        else { return nil }
        let database: String?
        switch parts.scheme?.lowercased() {
        case "redis", "rediss":
            guard let host = parts.host, !host.isEmpty, parts.query == nil else { return nil }
            let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
            guard parts.port.map({ (1...65535).contains($0) }) ?? true else { return nil }
            transport = .tcp(host: bare, port: parts.port ?? 6379, tls: parts.scheme?.lowercased() == "rediss")
            let path = parts.path.hasPrefix("/") ? String(parts.path.dropFirst()) : parts.path
            database = path.isEmpty ? nil : path
        case "unix":
            guard parts.host ?? "" == "", parts.path.hasPrefix("/"), (2...107).contains(parts.path.utf8.count) else {
                return nil
            }
            transport = .unix(path: parts.path)
            guard (parts.queryItems ?? []).allSatisfy({ $0.name == "db" }) else { return nil }
            database = parts.queryItems?.first?.value
        default:
            return nil
        }
        guard let number = database.map(parseInteger) ?? 0, (0...1_000_000).contains(number) else { return nil }
        self.database = number
        username = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password.map(Secret.init)
    }
}
