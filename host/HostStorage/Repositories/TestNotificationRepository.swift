public import FoundationEssentials

/// A notification that a user asks for, to see that notifications arrive.
public struct NewTestNotification: Sendable {
    /// Chosen by the caller, because the payload is sealed under it.
    public var job: UUID
    public var user: UUID
    /// The same key is the same job for 24 hours.
    public var key: String
    public var sealedPayload: [UInt8]
    public var sealedKeyVersion: Int
    public var requestID: String
    public var traceparent: String

    public init(
        job: UUID, user: UUID, key: String, sealedPayload: [UInt8], sealedKeyVersion: Int, requestID: String,
        traceparent: String
    ) {
        self.job = job
        self.user = user
        self.key = key
        self.sealedPayload = sealedPayload
        self.sealedKeyVersion = sealedKeyVersion
        self.requestID = requestID
        self.traceparent = traceparent
    }
}

/// Queues TEST_NOTIFICATION jobs.
public struct TestNotificationRepository: Sendable {
    /// After it the notification is of no use any more.
    public static let lifetime = Duration.seconds(600)
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// The job of an earlier request with the same key within the last 24 hours, if it is still there.
    public func find(key: String, of user: UUID) async throws(StorageError) -> UUID? {
        try await pool.query(Self.select, [.uuid(user), .text(key)]).first?.uuid(0)
    }

    /// Queues the job with its audit row, due now; the job that has this key already is given back instead.
    public func enqueue(_ notification: NewTestNotification) async throws(StorageError) -> UUID {
        try await pool.withTransaction { tx throws(StorageError) in
            let inserted = try await tx.query(
                Self.insert,
                [
                    .uuid(notification.job), .uuid(notification.user), .text(notification.key),
                    .double(Self.lifetime.inSeconds), .bytes(notification.sealedPayload),
                    .int(notification.sealedKeyVersion), .text(notification.requestID),
                    .text(notification.traceparent),
                ])
            guard inserted.affected == 1 else {
                let parameters: [SQLValue] = [.uuid(notification.user), .text(notification.key)]
                guard let row = try await tx.query(Self.select, parameters).first else { throw .conflict }
                return try row.uuid(0)
            }
            try await tx.audit(.testNotificationQueued(job: notification.job), for: notification.user)
            return notification.job
        }
    }

    // The client's key itself is not stored: it may say something about the client. The day is part of the job's key
    // because the job may stay longer than its key means it.
    private static func jobKey(user: String, key: String, daysAgo: Int = 0) -> String {
        """
        'TEST_NOTIFICATION:' || encode(sha256(convert_to(\(user)::uuid::text || ':' || \(key)::text, 'UTF8')), 'hex')
            || to_char(now() at time zone 'UTC' - interval '\(daysAgo) days', ':YYYYMMDD')
        """
    }

    private static let insert = Statement.write(
        """
        insert into alfred.jobs (
            id, user_id, type, idempotency_key, due_at, expires_at, payload_ciphertext, sealed_key_version, request_id,
            traceparent)
        values ($1, $2, 'TEST_NOTIFICATION', \(jobKey(user: "$2", key: "$3")), now(), now() + make_interval(secs => $4), $5, $6, $7, $8)
        on conflict (user_id, type, idempotency_key) do nothing
        """)

    private static let select = Statement.read(
        """
        select id from alfred.jobs
        where user_id = $1 and type = 'TEST_NOTIFICATION' and created_at > now() - interval '24 hours'
            and idempotency_key in (\(jobKey(user: "$1", key: "$2")), \(jobKey(user: "$1", key: "$2", daysAgo: 1)))
        order by created_at desc limit 1
        """)
}
