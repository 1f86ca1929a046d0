import Foundation
import HostRuntime
import JWTKit

/// The token by which APNs knows the provider: made once, used for all, renewed before it expires.
///
/// APNs refuses tokens older than an hour, and providers that make new ones more often than every 20 minutes.
actor ProviderTokens {
    static let renewalAge = Duration.seconds(50 * 60)
    static let minimumAge = Duration.seconds(20 * 60)

    struct Token: Sendable {
        let bearer: Secret
        let madeAt: Date
        let instant: ContinuousClock.Instant
    }

    /// Wall clock for the token, and one that nobody sets for its age.
    struct Clocks: Sendable {
        var now: @Sendable () -> Date = { Date() }
        var instant: @Sendable () -> ContinuousClock.Instant = { .now }
    }

    private struct Claims: JWTPayload {
        let iss: String
        let iat: Int

        /// Never read back.
        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }

    private let key: ES256PrivateKey
    private let keyID: String
    private let teamID: String
    private let clocks: Clocks
    private let metrics: MetricsRegistry
    private var token: Token?
    private var making: Task<Token, any Error>?

    /// - Throws: when `key` is no P-256 private key in PEM.
    init(keyID: String, teamID: String, key: Secret, metrics: MetricsRegistry, clocks: Clocks = Clocks()) throws {
        self.key = try Self.parse(key)
        self.keyID = keyID
        self.teamID = teamID
        self.metrics = metrics
        self.clocks = clocks
    }

    static func parse(_ key: Secret) throws -> ES256PrivateKey {
        try key.withValue { try ES256PrivateKey(pem: $0) }
    }

    func current() async throws -> Token {
        guard let token else { return try await make("first") }
        let age = token.instant.duration(to: clocks.instant())
        // The wall clock may have been set since: what it made of the token's age counts for APNs.
        let claimed = Duration.seconds(clocks.now().timeIntervalSince(token.madeAt))
        let isOld = age >= Self.renewalAge || claimed >= Self.renewalAge || claimed < .zero
        return isOld && age >= Self.minimumAge ? try await make("age") : token
    }

    /// Another token in place of one that APNs called expired; nil when that one is too young to be replaced.
    func replacement(for refused: Token) async throws -> Token? {
        if let token, token.instant != refused.instant { return token }
        guard refused.instant.duration(to: clocks.instant()) >= Self.minimumAge else { return nil }
        return try await make("expired")
    }

    /// One new token however many ask for it.
    private func make(_ reason: String) async throws -> Token {
        if let making { return try await making.value }
        let task = Task { try await sign() }
        making = task
        defer { making = nil }
        let made = try await task.value
        token = made
        metrics.increment(.apnsProviderTokens, [.reason: reason])
        return made
    }

    private func sign() async throws -> Token {
        let (now, instant) = (clocks.now(), clocks.instant())
        let kid = JWKIdentifier(string: keyID)
        let keys = JWTKeyCollection()
        await keys.add(ecdsa: key, kid: kid)
        let claims = Claims(iss: teamID, iat: Int(now.timeIntervalSince1970))
        return Token(bearer: Secret(try await keys.sign(claims, kid: kid)), madeAt: now, instant: instant)
    }
}
