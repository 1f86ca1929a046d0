public import FoundationEssentials

/// One attempt of a request that its client may repeat.
public struct IdempotentAttempt: Sendable {
    public var user: UUID
    /// Method and template, like `POST /v1/devices/apns`.
    public var route: String
    /// SHA-256 of the client's key.
    public var keyHash: [UInt8]
    /// What the request asked, keyed with the client's key.
    public var requestHash: [UInt8]
    /// How long this attempt may take before another one takes its place.
    public var lock: Duration

    public init(user: UUID, route: String, keyHash: [UInt8], requestHash: [UInt8], lock: Duration) {
        self.user = user
        self.route = route
        self.keyHash = keyHash
        self.requestHash = requestHash
        self.lock = lock
    }
}

/// What an attempt found.
public enum IdempotentReservation: Sendable, Equatable {
    /// The first, or the first that lives: it does the work and stores its answer under this id.
    case mine(UUID)
    /// Another attempt is under way.
    case inProgress
    /// The key was used for another request.
    case reused
    /// Done before; the answer is sealed under this id.
    case answered(id: UUID, status: Int, sealed: [UInt8])
}

/// Stored answers of requests that carry an `Idempotency-Key`.
public struct IdempotentAnswerRepository: Sendable {
    /// How long an answer is repeated.
    public static let lifetime = Duration.seconds(24 * 3600)
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Takes the key for this attempt, or says who has it; one winner, whatever runs at the same time.
    public func reserve(_ attempt: IdempotentAttempt) async throws(StorageError) -> IdempotentReservation {
        for _ in 0..<3 {
            let id = UUID()
            let parameters: [SQLValue] = [
                .uuid(id), .uuid(attempt.user), .text(attempt.route), .bytes(attempt.keyHash),
                .bytes(attempt.requestHash), .double(attempt.lock.inSeconds), .double(Self.lifetime.inSeconds),
            ]
            if try await pool.query(Self.take, parameters).affected == 1 { return .mine(id) }
            let key: [SQLValue] = [.uuid(attempt.user), .text(attempt.route), .bytes(attempt.keyHash)]
            // Given back in between: tried again.
            guard let row = try await pool.query(Self.select, key).first else { continue }
            guard try row.bytes(1) == attempt.requestHash else { return .reused }
            guard let status = try row.optional(2, Row.int) else { return .inProgress }
            return .answered(id: try row.uuid(0), status: status, sealed: try row.bytes(3))
        }
        return .inProgress
    }

    /// Stores the answer of the attempt `id`; `false` when another attempt took its place.
    public func store(
        _ id: UUID, of user: UUID, status: Int, sealed: [UInt8], sealedKeyVersion: Int
    ) async throws(StorageError) -> Bool {
        let parameters: [SQLValue] = [
            .uuid(id), .uuid(user), .int(status), .bytes(sealed), .int(sealedKeyVersion),
        ]
        return try await pool.query(Self.complete, parameters).affected == 1
    }

    /// Gives the key back: the request was not answered in a way that is repeated.
    public func release(_ id: UUID, of user: UUID) async throws(StorageError) {
        _ = try await pool.query(Self.delete, [.uuid(id), .uuid(user)])
    }

    // What is past its life, or was left by an attempt that ended without an answer, is taken over.
    private static let take = Statement.write(
        """
        insert into alfred.idempotent_answers as a (
            id, user_id, route, key_hash, request_hash, locked_until, expires_at)
        values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6), now() + make_interval(secs => $7))
        on conflict (user_id, route, key_hash) do update set id = excluded.id, request_hash = excluded.request_hash,
            locked_until = excluded.locked_until, expires_at = excluded.expires_at, status = null,
            body_ciphertext = null, sealed_key_version = null, created_at = now()
        where a.expires_at <= now()
            or a.status is null and a.locked_until <= now() and a.request_hash = excluded.request_hash
        """)

    private static let select = Statement.read(
        """
        select id, request_hash, status, body_ciphertext from alfred.idempotent_answers
        where user_id = $1 and route = $2 and key_hash = $3
        """)

    private static let complete = Statement.write(
        """
        update alfred.idempotent_answers set status = $3, body_ciphertext = $4, sealed_key_version = $5
        where id = $1 and user_id = $2 and status is null
        """)

    private static let delete = Statement.write(
        "delete from alfred.idempotent_answers where id = $1 and user_id = $2 and status is null")
}
