/// What readiness asks of the database.
public struct HealthChecks: Sendable {
    private let pool: PostgresPool
    private let schema: SchemaCheck

    public init(_ pool: PostgresPool) {
        self.pool = pool
        schema = SchemaCheck(pool)
    }

    /// Throws unless the database answers.
    public func database() async throws(StorageError) {
        _ = try await pool.query(Self.ping).required()
    }

    /// Throws `.schemaOutdated` unless every migration this program knows is there.
    public func migrations() async throws(StorageError) { try await schema.requireCurrent() }

    private static let ping = Statement.read("select 1")
}
