import FoundationEssentials
public import HostRuntime
public import HostStorage

extension PostgresConfiguration {
    /// The connection that the environment describes.
    public init(_ database: DatabaseConfiguration) {
        let listenURL: String =
            switch database.listening {
            case .connection(let url): url.text.withValue { $0 }
            case .off: "off"
            }
        self.init(
            url: database.url.text.withValue { $0 }, maximumConnections: database.maximumConnections,
            connectTimeout: database.connectTimeout, statementTimeout: database.statementTimeout,
            usePreparedStatements: database.usesPreparedStatements, listenURL: listenURL)
    }
}

extension RedisOptions {
    /// The connection that the environment describes.
    public init(_ redis: RedisConfiguration, trustRootsFile: String?) {
        var parts = URLComponents()
        switch redis.url.transport {
        case .tcp(let host, let port, let tls):
            parts.scheme = tls ? "rediss" : "redis"
            parts.host = host.contains(":") ? "[\(host)]" : host
            parts.port = port
            parts.path = "/\(redis.url.database)"
        case .unix(let path):
            parts.scheme = "unix"
            parts.path = path
            parts.queryItems = [URLQueryItem(name: "db", value: String(redis.url.database))]
        }
        parts.user = redis.url.username
        redis.url.password?.withValue { parts.password = $0 }
        self.init(url: parts.string ?? "", timeout: redis.timeout, trustRootsFile: trustRootsFile)
    }
}
