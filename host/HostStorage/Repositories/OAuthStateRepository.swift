public import FoundationEssentials

/// What starting a connect stores. The id is bound into the sealed verifier, so the caller chooses it.
public struct NewOAuthState: Sendable {
    public var id: UUID
    public var user: UUID
    /// SHA-256 of the state that goes to the provider; the state itself is not stored.
    public var stateSHA256: [UInt8]
    public var redirectURI: String
    public var sealedVerifier: [UInt8]
    public var sealedKeyVersion: Int
    public var lifetime: Duration

    public init(
        id: UUID, user: UUID, stateSHA256: [UInt8], redirectURI: String, sealedVerifier: [UInt8],
        sealedKeyVersion: Int, lifetime: Duration
    ) {
        self.id = id
        self.user = user
        self.stateSHA256 = stateSHA256
        self.redirectURI = redirectURI
        self.sealedVerifier = sealedVerifier
        self.sealedKeyVersion = sealedKeyVersion
        self.lifetime = lifetime
    }
}

public struct ClaimedOAuthState: Sendable, Equatable {
    public let id: UUID
    public let sealedVerifier: [UInt8]
    public let redirectURI: String
}

/// Connects under way: made, claimed by one callback, then consumed or released.
public struct OAuthStateRepository: Sendable {
    /// Unconsumed states of one user; the oldest goes.
    public static let maximumOpen = 10
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Stores a new state with its audit row.
    public func insert(_ state: NewOAuthState) async throws(StorageError) {
        try await pool.withTransaction { tx throws(StorageError) in
            try await tx.query(Self.insertOne, state.parameters)
            try await tx.query(Self.deleteSurplus, [.uuid(state.user), .int(Self.maximumOpen)])
            try await tx.audit(.googleConnectStarted(redirectURI: state.redirectURI), for: state.user)
        }
    }

    /// Takes the state for one callback; `nil` when unknown, foreign, consumed, expired or taken within 60 s.
    public func claim(user: UUID, stateSHA256: [UInt8]) async throws(StorageError) -> ClaimedOAuthState? {
        guard let row = try await pool.query(Self.claimOne, [.uuid(user), .bytes(stateSHA256)]).first else {
            return nil
        }
        return ClaimedOAuthState(
            id: try row.uuid(0), sealedVerifier: try row.bytes(1), redirectURI: try row.text(2))
    }

    /// Gives a claimed state back: the same callback may be sent again until it expires.
    public func release(_ id: UUID, of user: UUID) async throws(StorageError) {
        _ = try await pool.query(Self.releaseOne, [.uuid(id), .uuid(user)])
    }

    /// Ends a state for good.
    public func consume(_ id: UUID, of user: UUID) async throws(StorageError) {
        _ = try await pool.query(Self.consumeOne, [.uuid(id), .uuid(user)])
    }
}

extension NewOAuthState {
    fileprivate var parameters: [SQLValue] {
        [
            .uuid(id), .uuid(user), .bytes(stateSHA256), .text(redirectURI), .bytes(sealedVerifier),
            .int(sealedKeyVersion), .double(lifetime.inSeconds),
        ]
    }
}

extension OAuthStateRepository {
    private static let insertOne = Statement.write(
        """
        insert into alfred.oauth_states (
            id, user_id, state_hash, redirect_uri, code_verifier_ciphertext, sealed_key_version, expires_at, created_at)
        values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), clock_timestamp())
        """)

    private static let deleteSurplus = Statement.write(
        """
        delete from alfred.oauth_states where id in (
            select id from alfred.oauth_states where user_id = $1 and consumed_at is null
            order by created_at desc, id offset $2)
        """)

    private static let claimOne = Statement.write(
        """
        update alfred.oauth_states set claimed_at = now()
        where user_id = $1 and state_hash = $2 and consumed_at is null and expires_at > now()
            and (claimed_at is null or claimed_at < now() - interval '60 seconds')
        returning id, code_verifier_ciphertext, redirect_uri
        """)

    private static let releaseOne = Statement.write(
        "update alfred.oauth_states set claimed_at = null where id = $1 and user_id = $2 and consumed_at is null")

    static let consumeOne = Statement.write(
        "update alfred.oauth_states set consumed_at = now() where id = $1 and user_id = $2 and consumed_at is null")
}
