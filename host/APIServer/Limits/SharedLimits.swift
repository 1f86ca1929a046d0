import HostRuntime
import HostStorage

/// The limits of the API over the fleet's sliding windows.
struct SharedLimits: RateLimiting {
    private let limiter: SlidingWindowLimiter
    private let metrics: MetricsRegistry

    init(_ limiter: SlidingWindowLimiter, metrics: MetricsRegistry) {
        self.limiter = limiter
        self.metrics = metrics
    }

    func admit(_ bucket: RateBucket, subject: String) async -> RateDecision {
        let decision = await limiter.admit(bucket.rule, subject: subject)
        if !decision.isAllowed {
            metrics.increment(
                .httpRateLimited, [.bucket: bucket.rawValue, .backend: decision.backend.rawValue])
        }
        return RateDecision(
            isAllowed: decision.isAllowed, remaining: decision.remaining, resetSeconds: decision.resetSeconds)
    }

    func hasRoom(_ bucket: RateBucket, subject: String) async -> Bool {
        await limiter.peek(bucket.rule, subject: subject).isAllowed
    }
}

extension RateBucket {
    fileprivate var rule: RateLimit { RateLimit(bucket: rawValue, limit: limit, windowSeconds: windowSeconds) }
}
