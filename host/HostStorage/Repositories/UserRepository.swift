public import FoundationEssentials

public enum UserStatus: String, Sendable {
    case active = "ACTIVE"
    case deleted = "DELETED"
}

/// Users as the database knows them: an id and whether it still lives.
public struct UserRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// The user's status; a user never seen before is inserted as active.
    public func ensureActive(_ user: UUID) async throws(StorageError) -> UserStatus {
        if let status = try await status(user) { return status }
        _ = try await pool.query(Self.insert, [.uuid(user)])
        guard let status = try await status(user) else { throw .unreadableAnswer }
        return status
    }

    /// The user's status, `nil` when never seen.
    public func status(_ user: UUID) async throws(StorageError) -> UserStatus? {
        guard let row = try await pool.query(Self.select, [.uuid(user)]).first else { return nil }
        return UserStatus(rawValue: try row.text(0))
    }

    private static let select = Statement.read("select status from alfred.users where id = $1")
    private static let insert = Statement.write("insert into alfred.users (id) values ($1) on conflict do nothing")
}
