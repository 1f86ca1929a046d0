import EnclaveProtocol
import FoundationEssentials
import HTTPTypes
import HostRuntime

/// Turns an `Authorization` header into a user, or into a refusal that tells nothing.
struct Authenticator: Sendable {
    private let keys: KeyDirectory
    private let rules: ClerkTokenRules
    private let accounts: AccountGate
    private let limiter: any RateLimiting
    private let metrics: MetricsRegistry
    /// Unix seconds.
    private let now: @Sendable () -> Double

    init(
        keys: KeyDirectory, rules: ClerkTokenRules, accounts: AccountGate, limiter: any RateLimiting,
        metrics: MetricsRegistry, now: @escaping @Sendable () -> Double
    ) {
        self.keys = keys
        self.rules = rules
        self.accounts = accounts
        self.limiter = limiter
        self.metrics = metrics
        self.now = now
    }

    /// The user of the token, whose account lives unless `admitsDeleted`.
    func user(
        _ headers: HTTPFields, from client: ClientAddress, admitsDeleted: Bool, log: HostLog
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

    private func verify(_ header: String?, from client: ClientAddress) async throws(AuthFailure) -> UserID {
        let token = try BearerToken(authorization: header)
        // An address with too many failures causes no request to the provider.
        let key = try await keys.key(token.keyID) {
            await limiter.hasRoom(.authFailure, subject: client.limitSubject)
        }
        let claims = try await key.claims(of: token)
        return try rules.user(of: claims, now: now())
    }

    /// 401, or 429 for an address with too many of them.
    private func refusal(of client: ClientAddress) async -> APIError {
        let decision = await limiter.admit(.authFailure, subject: client.limitSubject)
        guard decision.isAllowed else { return APIError(.rateLimited, retryAfterSeconds: decision.resetSeconds) }
        return APIError(.unauthorized)
    }
}
