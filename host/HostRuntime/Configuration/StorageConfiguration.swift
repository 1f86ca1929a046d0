/// Postgres, as one process uses it.
public struct DatabaseConfiguration: Sendable {
    /// How changes are heard of.
    public enum Listening: Sendable {
        case connection(DatabaseURL)
        /// Poll only.
        case off
    }

    public let url: DatabaseURL
    public let maximumConnections: Int
    /// `.off` in processes that do not listen.
    public let listening: Listening
    public let connectTimeout: Duration
    public let statementTimeout: Duration
    /// Whether statements are prepared by name; false behind a transaction pooler.
    public let usesPreparedStatements: Bool

    public init(reading reader: inout ConfigurationReader) {
        let url = Self.url("DATABASE_URL", &reader) ?? .standIn
        self.url = url
        maximumConnections = reader.integer("DATABASE_MAX_CONNECTIONS")
        if reader.process == .operator || reader.given("DATABASE_LISTEN_URL") == "off" {
            listening = .off
        } else {
            listening = .connection(Self.url("DATABASE_LISTEN_URL", &reader) ?? url)
        }
        connectTimeout = reader.milliseconds("DATABASE_CONNECT_TIMEOUT_MS")
        statementTimeout = reader.milliseconds("DATABASE_STATEMENT_TIMEOUT_MS")
        usesPreparedStatements = reader.boolean("DATABASE_PREPARED_STATEMENTS")
    }

    private static func url(_ name: String, _ reader: inout ConfigurationReader) -> DatabaseURL? {
        let url = reader.parsed(name, "must be a postgres:// or postgresql:// URL", DatabaseURL.init)
        if let url, !url.isProtected, !reader.environment.isLocal {
            reader.refuse(name, "must have sslmode=verify-full, a Unix socket or a loopback host outside local")
        }
        return url
    }
}

extension DatabaseURL {
    /// What a reader returns after a violation.
    static let standIn = DatabaseURL(standIn: ())

    private init(standIn: Void) {
        text = Secret("postgres://invalid/")
        isProtected = false
        databaseName = nil
    }
}

/// Redis, as one process uses it.
public struct RedisConfiguration: Sendable {
    public let url: RedisURL
    public let maximumConnections: Int
    /// For connecting and for each command.
    public let timeout: Duration
    /// Share of each limit that one process grants while Redis is unreachable, 1 to 100.
    public let quotaPercentWhileDown: Int

    public init(reading reader: inout ConfigurationReader) {
        let url = reader.parsed("REDIS_URL", "must be a redis://, rediss:// or unix:// URL", RedisURL.init) ?? .standIn
        if !url.isProtected, !reader.environment.isLocal {
            reader.refuse("REDIS_URL", "must be rediss://, a Unix socket or a loopback host outside local")
        }
        self.url = url
        maximumConnections = reader.integer("REDIS_MAX_CONNECTIONS")
        timeout = reader.milliseconds("REDIS_TIMEOUT_MS")
        quotaPercentWhileDown = reader.integer("REDIS_DOWN_LOCAL_QUOTA_PERCENT")
    }
}

extension RedisURL {
    /// What a reader returns after a violation.
    static let standIn = RedisURL(standIn: ())

    private init(standIn: Void) {
        transport = .unix(path: "/invalid")
        username = nil
        password = nil
        database = 0
    }
}

/// Postgres and Redis of API and worker.
public struct StorageConfiguration: Sendable {
    public let database: DatabaseConfiguration
    public let redis: RedisConfiguration

    public init(reading reader: inout ConfigurationReader) {
        database = DatabaseConfiguration(reading: &reader)
        redis = RedisConfiguration(reading: &reader)
    }
}
