import Foundation
import HostRuntime
import HostStorage
import Synchronization

/// Decides in Redis, and by a small share in this process while Redis is away; never without limits.
final class Reliability: Sendable {
    /// How often a lost Redis is looked for.
    static let pingInterval = Duration.seconds(1)
    /// Settlements kept for a Redis that is away; what goes beyond it counts as all that was set aside.
    static let maximumUntold = 10_000

    let shared: RedisReliability
    private let local: LocalReliability
    private let log: HostLog
    private let metrics: MetricsRegistry
    private let isDegraded = Mutex(false)
    private let untold = Mutex<[(settlement: Settlement, since: ContinuousClock.Instant)]>([])

    init(
        _ redis: RedisConnection, _ configuration: LLMReliabilityConfiguration, quotaPercentWhileDown: Int,
        totalDeadline: Duration, log: HostLog, metrics: MetricsRegistry
    ) {
        shared = RedisReliability(redis, configuration, totalDeadline: totalDeadline)
        local = LocalReliability(
            configuration, percent: quotaPercentWhileDown, deadlineSeconds: shared.deadlineSeconds)
        self.log = log
        self.metrics = metrics
    }

    var isLocal: Bool { isDegraded.withLock { $0 } }

    func admit(_ claim: Claim) async -> Verdict {
        if !isLocal {
            do throws(RedisError) { return try await shared.admit(claim) } catch { degrade() }
        }
        return local.admit(claim, micro: Self.now)
    }

    /// Settles `previous` and sets money aside anew, where `previous` was decided.
    func reserve(_ claim: Claim, previous: Admission, cost: Int?) async -> Verdict {
        if !isLocal, !previous.isLocal {
            do throws(RedisError) {
                return try await shared.reserve(
                    claim, previous: previous, cost: cost, isNormal: !previous.isBudgetRouted)
            } catch { degrade() }
        }
        if !previous.isLocal { keep(Settlement(admission: previous, cost: cost)) }
        return local.reserve(claim, previous: previous.isLocal ? previous : nil, cost: cost, micro: Self.now)
    }

    func settle(_ settlement: Settlement) async {
        guard !settlement.admission.isLocal else { return local.settle(settlement, micro: Self.now) }
        guard !isLocal else { return keep(settlement) }
        do throws(RedisError) {
            try await tell(settlement)
        } catch {
            keep(settlement)
            degrade()
        }
    }

    private func tell(_ settlement: Settlement) async throws(RedisError) {
        let (spent, open) = try await shared.settle(settlement)
        metrics.set(.llmBudget, [.part: "spent"], to: Double(spent))
        metrics.set(.llmBudget, [.part: "limit"], to: Double(shared.configuration.budget))
        for (outcome, isOpen) in zip(settlement.outcomes, open) {
            metrics.set(.llmBreakerState, [.model: outcome.model], to: isOpen ? 1 : 0)
        }
    }

    /// For `recover`. Where Redis has settled it and only the answer was lost, it does nothing the second time.
    private func keep(_ settlement: Settlement) {
        var settlement = settlement
        settlement.cache = nil
        untold.withLock { [settlement] in
            if $0.count < Self.maximumUntold { $0.append((settlement, .now)) }
        }
    }

    func forget(cacheKey: String) async {
        guard !isLocal else { return }
        do throws(RedisError) { try await shared.forget(cacheKey: cacheKey) } catch { degrade() }
    }

    // MARK: - Redis lost and found

    private func degrade() {
        let changed = isDegraded.withLock { state in
            defer { state = true }
            return !state
        }
        guard changed else { return }
        metrics.set(.redisDegraded, to: 1)
        log.event("llm_redis_lost", .warn)
    }

    /// Looks for Redis once, if it is lost; tells it what it missed and what this process spent alone.
    func recover() async {
        guard isLocal else { return }
        do throws(RedisError) {
            try await shared.redis.ping()
            try await tellSettlements()
            try await tellSpent()
        } catch { return }
        isDegraded.withLock { $0 = false }
        metrics.set(.redisDegraded, to: 0)
        log.event("llm_redis_found", .info)
        // What was settled in between.
        do throws(RedisError) {
            try await tellSettlements()
            try await tellSpent()
        } catch { degrade() }
    }

    private func tellSettlements() async throws(RedisError) {
        while let (settlement, since) = untold.withLock({ $0.popLast() }) {
            // Redis knows no longer whether it has settled it; if not, the reservation counts whole, by its end.
            guard .now - since < .seconds(RedisReliability.reservationMargin) else { continue }
            do throws(RedisError) {
                try await tell(settlement)
            } catch {
                untold.withLock { $0.append((settlement, since)) }
                throw error
            }
        }
    }

    private func tellSpent() async throws(RedisError) {
        var failure: RedisError?
        for (window, amount) in local.takeSpent() where amount > 0 {
            guard failure == nil else {
                local.putBack(amount, window: window)
                continue
            }
            do throws(RedisError) {
                try await shared.addSpent(amount, window: window)
            } catch {
                local.putBack(amount, window: window)
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Looks for a lost Redis every second, and tells it of late settlements, until cancelled.
    func watch() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.pingInterval)
            if isLocal {
                await recover()
            } else {
                do throws(RedisError) {
                    try await tellSettlements()
                    try await tellSpent()
                } catch { degrade() }
            }
        }
    }

    static var now: Int { Int(Date().timeIntervalSince1970 * 1_000_000) }
}
