import HostStorage

/// The fleet's key set in Redis; while Redis is away nothing is shared.
struct RedisKeySharing: KeySetSharing {
    private let redis: RedisConnection
    private let key: String

    init(_ redis: RedisConnection, key: String) {
        self.redis = redis
        self.key = key
    }

    func load() async -> SharedKeySet? {
        guard let bytes = try? await redis.get(key), bytes.count <= 2 * KeySet.maximumBytes else { return nil }
        return SharedKeySet.read(String(decoding: bytes, as: UTF8.self))
    }

    func save(_ set: SharedKeySet, forSeconds seconds: Int) async {
        guard let text = set.encoded() else { return }
        _ = try? await redis.set(key, Array(text.utf8), expiresIn: .seconds(seconds))
    }

    func claimRefresh(forSeconds seconds: Int) async -> Bool? {
        try? await redis.set("\(key):refresh", [0x31], expiresIn: .seconds(seconds), onlyIfAbsent: true)
    }
}
