public import FoundationEssentials

public enum PrivacyRequestStatus: String, CaseIterable, Sendable {
    case queued = "QUEUED"
    case running = "RUNNING"
    case completed = "COMPLETED"
    case failed = "FAILED"
}

/// A user's wish to be forgotten, as that user sees it.
public struct PrivacyRequest: Sendable, Equatable {
    public let id: UUID
    public let status: PrivacyRequestStatus
    /// Grants that could not be revoked at the provider: the user has to remove the access there.
    public let unrevokedConnectors: Int
    public let createdAt: Date
    public let startedAt: Date?
    public let completedAt: Date?
    public let failedAt: Date?
}

/// Requests to delete everything of a user: made and looked at here, carried out by the worker.
public struct PrivacyRequestRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// The open request of a user; made, with its audit row, when there is none. One, however many ask at once.
    ///
    /// - Throws: `.userDeleted` when there is nothing left to delete.
    public func open(for user: UUID) async throws(StorageError) -> UUID {
        for _ in 0..<3 {
            if let id = try await tryOpen(for: user) { return id }
        }
        throw .conflict
    }

    /// Nil when the request that was in the way was completed meanwhile.
    private func tryOpen(for user: UUID) async throws(StorageError) -> UUID? {
        try await pool.withTransaction { tx throws(StorageError) in
            // Whoever is deleted after this look is refused by the audit row's trigger.
            guard try await tx.query(Self.selectUser, [.uuid(user)]).count == 1 else { throw .userDeleted }
            let id = UUID()
            if try await tx.query(Self.insert, [.uuid(id), .uuid(user)]).affected == 1 {
                try await tx.audit(.privacyDeleteAllRequested(request: id), for: user)
                return id
            }
            return try await tx.query(Self.selectOpen, [.uuid(user)]).first?.uuid(0)
        }
    }

    /// `nil` for an unknown id and for another user's alike.
    public func find(_ id: UUID, of user: UUID) async throws(StorageError) -> PrivacyRequest? {
        guard let row = try await pool.query(Self.select, [.uuid(id), .uuid(user)]).first else { return nil }
        guard let status = PrivacyRequestStatus(rawValue: try row.text(1)) else { throw .unreadableAnswer }
        return PrivacyRequest(
            id: try row.uuid(0), status: status, unrevokedConnectors: try row.int(2), createdAt: try row.time(3),
            startedAt: try row.optional(4, Row.time), completedAt: try row.optional(5, Row.time),
            failedAt: try row.optional(6, Row.time))
    }

    private static let selectUser = Statement.read(
        "select id from alfred.users where id = $1 and status = 'ACTIVE'")

    private static let insert = Statement.write(
        """
        insert into alfred.privacy_delete_requests (id, user_id) values ($1, $2)
        on conflict (user_id) where status <> 'COMPLETED' do nothing
        """)

    private static let selectOpen = Statement.read(
        "select id from alfred.privacy_delete_requests where user_id = $1 and status <> 'COMPLETED'")

    private static let select = Statement.read(
        """
        select id, status, unrevoked_connectors, created_at, started_at, completed_at, failed_at
        from alfred.privacy_delete_requests where id = $1 and user_id = $2
        """)
}
