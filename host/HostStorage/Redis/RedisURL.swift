import FoundationEssentials

/// A Redis address taken apart.
struct RedisURL: Sendable, Equatable {
    enum Endpoint: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    let endpoint: Endpoint
    let usesTLS: Bool
    let user: String?
    let password: String?
    let database: Int

    /// `redis[s]://[user][:password@]host[:port][/database]`, `unix://[user][:password@]/path[?db=n]`.
    init?(_ text: String) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased() else { return nil }
        user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        password = parts.password.flatMap { $0.isEmpty ? nil : $0 }
        usesTLS = scheme == "rediss"
        switch scheme {
        case "redis", "rediss":
            guard let host = parts.host, !host.isEmpty else { return nil }
            endpoint = .tcp(host: host.trimmingBrackets, port: parts.port ?? 6379)
            guard let database = Self.number(parts.path.drop { $0 == "/" }) else { return nil }
            self.database = database
        case "unix":
            guard !parts.path.isEmpty else { return nil }
            endpoint = .unix(path: parts.path)
            let named = parts.queryItems?.first { $0.name == "db" }?.value ?? ""
            guard let database = Self.number(named[...]) else { return nil }
            self.database = database
        default: return nil
        }
    }

    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty else { return 0 }
        return Int(text).flatMap { (0...1023).contains($0) ? $0 : nil }
    }
}

extension String {
    /// An IPv6 host stands in brackets in a URL.
    fileprivate var trimmingBrackets: String {
        hasPrefix("[") && hasSuffix("]") ? String(dropFirst().dropLast()) : self
    }
}
