/// Where Postgres is and how it is used; checked by the program's configuration before it comes here.
public struct PostgresConfiguration: Sendable {
    /// `postgres://…`, with libpq's parameters; a secret.
    public var url: String
    /// Connections of the pool: some shared by pipelined reads, the rest for transactions and writes. At least 2.
    public var maximumConnections: Int
    public var connectTimeout: Duration
    /// Longest time of one statement, at the server and at the caller.
    public var statementTimeout: Duration
    /// `false` behind a transaction pooler: unnamed statements, no session settings, no pipelining.
    public var usePreparedStatements: Bool
    /// Where to LISTEN when a transaction pooler is in front; `nil` means poll only.
    public var listenURL: String?

    /// `listenURL` as the variable says it: `nil` = the same as `url`, `off` = no LISTEN.
    public init(
        url: String, maximumConnections: Int = 10, connectTimeout: Duration = .seconds(5),
        statementTimeout: Duration = .seconds(10), usePreparedStatements: Bool = true, listenURL: String? = nil
    ) {
        self.url = url
        self.maximumConnections = max(2, maximumConnections)
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        self.usePreparedStatements = usePreparedStatements
        self.listenURL = listenURL == "off" ? nil : listenURL ?? url
    }

    /// The same server with the two connections of the record port, so that the enclave's callbacks never wait for the
    /// callers that wait for the enclave.
    public var forRecordPort: PostgresConfiguration {
        var configuration = self
        configuration.maximumConnections = 2
        return configuration
    }

    /// Connections that carry many reads at once; the rest is lent to one caller at a time.
    var sharedConnections: Int {
        guard usePreparedStatements else { return max(1, maximumConnections / 2) }
        return maximumConnections >= 8 ? 2 : 1
    }

    var exclusiveConnections: Int { maximumConnections - sharedConnections }
}
