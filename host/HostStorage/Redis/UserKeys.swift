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
        let id = user.uuidString.lowercased()
        let digits = Array("0123456789abcdef")
        let digest = SHA256.hash(data: Array(id.utf8)).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return buckets.map { SlidingWindowLimiter.key(bucket: $0, subject: id) }
            + ["{alfred:llm:reliability:v1}:rate_limit:user:\(String(digest))"]
    }
}
