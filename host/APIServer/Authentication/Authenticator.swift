import EnclaveProtocol
import HTTPTypes
import HostRuntime

/// Turns an `Authorization` header into a user, or into a refusal that tells nothing.
struct Authenticator: Sendable {
    private let keys: KeyDirectory
    private let rules: ClerkTokenRules
    private let verified: VerifiedTokens
    private let accounts: AccountGate
    private let limiter: any RateLimiting
    private let metrics: MetricsRegistry
    /// Unix seconds.
    private let now: @Sendable () -> Double

    init(
        keys: KeyDirectory, rules: ClerkTokenRules, verified: VerifiedTokens, accounts: AccountGate,
        limiter: any RateLimiting, metrics: MetricsRegistry, now: @escaping @Sendable () -> Double
    ) {
        self.keys = keys
        self.rules = rules
        self.verified = verified
        self.accounts = accounts
        self.limiter = limiter
        self.metrics = metrics
        self.now = now
    }

    /// The user of the token, whose account lives unless `admitsDeleted`.
    func user(
        _ headers: HTTPFields, from client: ClientSource, admitsDeleted: Bool, log: HostLog
    ) async throws(APIError) -> UserID {
        let user: UserID
        do throws(AuthFailure) {
            user = try await verify(headers[.authorization], from: client)
        } catch {
            metrics.increment(.authFailures, [.reason: error.rawValue])
            log.event("authentication_refused", .warn, [LogField(.reason, error.rawValue)])
            guard error != .keysUnavailable else { throw APIError(.clerkJWKSUnavailable) }
            throw await refusal(of: client)
        }
        try await accounts.check(user, admitsDeleted: admitsDeleted, log: log)
        return user
    }

    private func verify(_ header: String?, from client: ClientSource) async throws(AuthFailure) -> UserID {
        let text = try BearerToken.text(authorization: header)
        let digest = verified.digest(of: text)
        if let digest, let claims = verified.claims(digest, key: keys.freshKey) {
            return try rules.user(of: claims, now: now())
        }
        let token = try BearerToken(text: text)
        // An address with too many failures causes no request to the provider.
        let key = try await keys.key(token.keyID) {
            await limiter.hasRoom(.authFailure, subject: client.address.limitSubject)
        }
        let claims = try key.claims(of: token)
        let user = try rules.user(of: claims, now: now())
        if let digest { verified.insert(digest, keyID: token.keyID, key: key, claims) }
        return user
    }

    /// 401, or 429 for an address with too many of them.
    private func refusal(of client: ClientSource) async -> APIError {
        let decision = await limiter.admit(.authFailure, subject: client.address.limitSubject)
        guard decision.isAllowed else { return APIError(.rateLimited, retryAfterSeconds: decision.resetSeconds) }
        return APIError(.unauthorized)
    }
}
