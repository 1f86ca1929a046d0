import Synchronization

/// A limit: so many in a window of so many seconds.
public struct RateLimit: Sendable, Hashable {
    public let bucket: String
    public let limit: Int
    public let windowSeconds: Int

    public init(bucket: String, limit: Int, windowSeconds: Int) {
        self.bucket = bucket
        self.limit = limit
        self.windowSeconds = windowSeconds
    }
}

/// The limiter's answer to one request.
public struct RateLimitDecision: Sendable, Equatable {
    public enum Backend: String, Sendable { case redis, local }

    public let isAllowed: Bool
    /// What is left in the window after this request.
    public let remaining: Int
    /// Whole seconds, rounded up, until the oldest entry leaves; when denied, the wait.
    public let resetSeconds: Int
    public let backend: Backend
}

/// Exact sliding windows shared by all replicas: one script call per request, with Redis' own time.
///
/// While Redis is away the same algorithm runs in this process with a share of the limit; never unlimited.
public struct SlidingWindowLimiter: Sendable {
    private let redis: RedisConnection
    private let local: LocalWindows
    private let localPercent: Int

    /// `localPercent` is the share of each limit that this process grants on its own, 1–100.
    public init(_ redis: RedisConnection, localPercent: Int) {
        self.redis = redis
        self.localPercent = min(100, max(1, localPercent))
        local = LocalWindows()
    }

    /// Counts one request if there is room.
    public func admit(_ limit: RateLimit, subject: String) async -> RateLimitDecision {
        await decide(limit, subject, records: true)
    }

    /// Whether there is room, without counting.
    public func peek(_ limit: RateLimit, subject: String) async -> RateLimitDecision {
        await decide(limit, subject, records: false)
    }

    static func key(bucket: String, subject: String) -> String { "alfred:api:rate:v1:\(bucket):\(subject)" }

    private func decide(_ limit: RateLimit, _ subject: String, records: Bool) async -> RateLimitDecision {
        let arguments: [RedisArgument] = [
            RedisArgument(limit.limit), RedisArgument(limit.windowSeconds), RedisArgument(records ? 1 : 0),
            RedisArgument(String(UInt64.random(in: 0...UInt64.max), radix: 36)),
        ]
        let key = Self.key(bucket: limit.bucket, subject: subject)
        if let reply = try? await redis.eval(Self.script, keys: [key], arguments: arguments),
            let decision = Self.decision(reply)
        {
            return decision
        }
        let share = max(1, limit.limit * localPercent / 100)
        return local.decide(key, limit: share, windowSeconds: limit.windowSeconds, records: records, now: .now)
    }

    private static func decision(_ reply: RedisReply) -> RateLimitDecision? {
        guard let values = reply.array?.compactMap(\.integer), values.count == 3 else { return nil }
        return RateLimitDecision(
            isAllowed: values[0] == 1, remaining: Int(values[1]), resetSeconds: Int(clamping: values[2]).wholeSeconds,
            backend: .redis)
    }

    // Times are microseconds; they fit a double exactly, but must be written without exponent. An entry exactly at the
    // cut-off has left. Denied requests are not recorded.
    private static let script = RedisScript(
        """
        local t = redis.call('TIME')
        local now = t[1] * 1000000 + t[2]
        local limit = tonumber(ARGV[1])
        local window = tonumber(ARGV[2]) * 1000000
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
        local count = redis.call('ZCARD', KEYS[1])
        local allowed = 0
        if count < limit then
            allowed = 1
            if ARGV[3] == '1' then
                local stamp = string.format('%.0f', now)
                redis.call('ZADD', KEYS[1], stamp, stamp .. ':' .. ARGV[4])
                redis.call('EXPIRE', KEYS[1], ARGV[2])
                count = count + 1
            end
        end
        local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
        local reset = 0
        if oldest[2] then reset = oldest[2] + window - now end
        return {allowed, limit - count, string.format('%.0f', reset) + 0}
        """)
}

extension Int {
    /// Microseconds as whole seconds, rounded up, at least one.
    fileprivate var wholeSeconds: Int { Swift.max(1, (self + 999_999) / 1_000_000) }
}

/// The same windows in memory, for this process alone.
final class LocalWindows: Sendable {
    /// Windows remembered; beyond it the expired ones and then a tenth of the others are forgotten.
    static let maximumKeys = 10_000

    private struct Window {
        var entries: [Instant]
        var expires: Instant
    }

    private let windows = Mutex<[String: Window]>([:])

    func decide(_ key: String, limit: Int, windowSeconds: Int, records: Bool, now: Instant) -> RateLimitDecision {
        let length = UInt64(windowSeconds) * 1_000_000_000
        return windows.withLock { windows in
            var entries = windows[key]?.entries ?? []
            entries.removeAll { $0.nanoseconds + length <= now.nanoseconds }
            let isAllowed = entries.count < limit
            if isAllowed, records {
                entries.append(now)
                Self.makeRoom(for: key, in: &windows, now)
            }
            let expires = Instant(nanoseconds: now.nanoseconds + length)
            windows[key] = entries.isEmpty ? nil : Window(entries: entries, expires: expires)
            let left = entries.first.map { $0.nanoseconds + length - now.nanoseconds } ?? 0
            return RateLimitDecision(
                isAllowed: isAllowed, remaining: max(0, limit - entries.count),
                resetSeconds: Int(left / 1000).wholeSeconds, backend: .local)
        }
    }

    private static func makeRoom(for key: String, in windows: inout [String: Window], _ now: Instant) {
        guard windows.count >= maximumKeys, windows[key] == nil else { return }
        windows = windows.filter { $0.value.expires > now }
        guard windows.count >= maximumKeys else { return }
        for other in windows.keys.prefix(maximumKeys / 10) { windows[other] = nil }
    }
}
