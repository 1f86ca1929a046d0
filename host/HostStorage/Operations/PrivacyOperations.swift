public import FoundationEssentials

/// An open request to erase a user, as an operator sees it.
public struct OpenPrivacyRequest: Sendable, Equatable {
    public let id: UUID
    public let user: UUID
    public let status: PrivacyRequestStatus
    public let createdAt: Date
    public let age: Duration
    public let nextAttemptAt: Date
    public let attempts: Int
    public let revokeAttempts: Int
    public let unrevokedConnectors: Int
    /// Why the last try failed.
    public let reason: String?
    public let leaseOwner: String?
}

/// What an operator does about requests to erase users.
public struct PrivacyOperations: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Open requests, the oldest first.
    public func list(limit: Int = 1000) async throws(StorageError) -> [OpenPrivacyRequest] {
        try await pool.query(Self.selectOpen, [.int(limit)]).map { row throws(StorageError) in
            guard let status = PrivacyRequestStatus(rawValue: try row.text(2)) else { throw .unreadableAnswer }
            return OpenPrivacyRequest(
                id: try row.uuid(0), user: try row.uuid(1), status: status, createdAt: try row.time(3),
                age: .seconds(try row.double(4)), nextAttemptAt: try row.time(5), attempts: try row.int(6),
                revokeAttempts: try row.int(7), unrevokedConnectors: try row.int(8),
                reason: try row.optional(9, Row.text), leaseOwner: try row.optional(10, Row.text))
        }
    }

    /// Makes a waiting request due now; `false` when it is not there, completed, or being worked on.
    public func retry(_ id: UUID) async throws(StorageError) -> Bool {
        try await pool.query(Self.makeDue, [.uuid(id)]).count > 0
    }

    private static let selectOpen = Statement.read(
        """
        select id, user_id, status, created_at, extract(epoch from now() - created_at)::float8, next_attempt_at,
            attempts, revoke_attempts, unrevoked_connectors, failure_reason, lease_owner
        from alfred.privacy_delete_requests where status <> 'COMPLETED' order by created_at, id limit $1
        """)

    private static let makeDue = Statement.write(
        """
        with due as (
            update alfred.privacy_delete_requests set next_attempt_at = now(), updated_at = now()
            where id = $1 and status in ('QUEUED', 'FAILED') returning id)
        select id, pg_notify('alfred_privacy', '')::text from due
        """)
}
