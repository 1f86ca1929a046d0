import Crypto
public import FoundationEssentials

/// What Redis holds of one user: entries of rate limits, nothing else that names a user.
public struct UserKeys: Sendable {
    private let redis: RedisConnection
    private let buckets: [String]

    /// The keys of these buckets of the API's limits.
    public init(_ redis: RedisConnection, buckets: [String]) {
        self.redis = redis
        self.buckets = buckets
    }

    /// Deletes them, one by one: they may lie on different nodes.
    public func erase(_ user: UUID) async throws(RedisError) {
        for key in keys(of: user) { try await redis.delete(key) }
    }

    /// Every key that may hold something of the user.
    public func keys(of user: UUID) -> [String] {
        buckets.map { SlidingWindowLimiter.key(bucket: $0, subject: user.uuidString.lowercased()) }
            + [Self.modelRateLimit + Self.modelDigest(of: user)]
    }

    // MARK: - Keys of the language model gateway, whose scripts name them too

    /// Before every key of the gateway; in braces what puts them on one node.
    public static let modelPrefix = "{alfred:llm:reliability:v1}:"
    /// Before a user's digest.
    public static let modelRateLimit = modelPrefix + "rate_limit:user:"

    /// SHA-256 of the user id, hexadecimal.
    public static func modelDigest(of user: UUID) -> String {
        let digits = Array("0123456789abcdef")
        return String(
            SHA256.hash(data: Array(user.uuidString.lowercased().utf8))
                .flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
