public import FoundationEssentials

/// What is kept of a conversation; only the enclave can open the memory.
public struct StoredAssistantSession: Sendable, Equatable {
    /// The row. The memory is sealed under the session's id and the record's version.
    public let row: UUID
    public let lastCapability: String
    public let turnCount: Int
    public let sealedMemory: [UInt8]
    public let recordVersion: Int64

    public init(row: UUID, lastCapability: String, turnCount: Int, sealedMemory: [UInt8], recordVersion: Int64) {
        self.row = row
        self.lastCapability = lastCapability
        self.turnCount = turnCount
        self.sealedMemory = sealedMemory
        self.recordVersion = recordVersion
    }
}

/// Conversations with the assistant, one row per user and session.
public struct AssistantSessionRepository: Sendable {
    /// From the last turn on.
    public static let lifetime = Duration.seconds(6 * 3600)
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// The unexpired session; `nil` for an unknown id and for another user's alike.
    public func find(_ session: UUID, of user: UUID) async throws(StorageError) -> StoredAssistantSession? {
        guard let row = try await pool.query(Self.select, [.uuid(user), .uuid(session)]).first else { return nil }
        return StoredAssistantSession(
            row: try row.uuid(0), lastCapability: try row.text(1), turnCount: try row.int(2),
            sealedMemory: try row.bytes(3), recordVersion: Int64(try row.int(4)))
    }

    /// Stores a turn over exactly the version that was read; `nil` when another one was faster.
    ///
    /// A record of version 1 is a new one: it takes the place of none, or of one that has expired.
    ///
    /// - Returns: when the session expires.
    public func store(
        _ session: UUID, of user: UUID, _ record: StoredAssistantSession, sealedKeyVersion: Int
    ) async throws(StorageError) -> Date? {
        let statement = record.recordVersion == 1 ? Self.insert : Self.update
        let parameters: [SQLValue] = [
            .uuid(record.row), .uuid(user), .uuid(session), .text(record.lastCapability), .int(record.turnCount),
            .bytes(record.sealedMemory), .int(sealedKeyVersion), .int(record.recordVersion),
            .double(Self.lifetime.inSeconds),
        ]
        return try await pool.query(statement, parameters).first?.time(0)
    }

    private static let select = Statement.read(
        """
        select id, last_capability, turn_count, memory_ciphertext, record_version from alfred.assistant_sessions
        where user_id = $1 and session_id = $2 and expires_at > now()
        """)

    private static let insert = Statement.write(
        """
        insert into alfred.assistant_sessions as s (
            id, user_id, session_id, last_capability, turn_count, memory_ciphertext, sealed_key_version, record_version,
            expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, now() + make_interval(secs => $9))
        on conflict (user_id, session_id) do update set id = excluded.id, last_capability = excluded.last_capability,
            turn_count = excluded.turn_count, memory_ciphertext = excluded.memory_ciphertext,
            sealed_key_version = excluded.sealed_key_version, record_version = excluded.record_version,
            expires_at = excluded.expires_at, created_at = now(), updated_at = now()
        where s.expires_at <= now()
        returning expires_at
        """)

    private static let update = Statement.write(
        """
        update alfred.assistant_sessions set last_capability = $4, turn_count = $5, memory_ciphertext = $6,
            sealed_key_version = $7, record_version = $8, expires_at = now() + make_interval(secs => $9),
            updated_at = now()
        where id = $1 and user_id = $2 and session_id = $3 and record_version = $8 - 1
        returning expires_at
        """)
}
