import HostRuntime
import Synchronization

/// Times and limits of the key directory.
struct KeyDirectoryRules: Sendable {
    let defaultFreshSeconds: Int
    let staleSeconds: Int
    let minimumRefreshSeconds: Int
    let unknownKeySeconds: Int

    init(_ configuration: ClerkConfiguration) {
        self.init(
            defaultFreshSeconds: Int(configuration.defaultFreshness.components.seconds),
            staleSeconds: Int(configuration.staleLifetime.components.seconds),
            minimumRefreshSeconds: Int(configuration.minimumRefreshInterval.components.seconds),
            unknownKeySeconds: Int(configuration.unknownKeyLifetime.components.seconds))
    }

    init(defaultFreshSeconds: Int, staleSeconds: Int, minimumRefreshSeconds: Int, unknownKeySeconds: Int) {
        self.defaultFreshSeconds = defaultFreshSeconds
        self.staleSeconds = staleSeconds
        self.minimumRefreshSeconds = minimumRefreshSeconds
        self.unknownKeySeconds = unknownKeySeconds
    }
}

/// Finds the provider's key of a token: memory, then Redis, then at most one fetch per interval.
actor KeyDirectory {
    private let source: any KeySetSource
    private let sharing: any KeySetSharing
    private let rules: KeyDirectoryRules
    private let metrics: MetricsRegistry
    private let log: HostLog
    /// Unix seconds.
    private let now: @Sendable () -> Int

    private var current: KeySet? {
        didSet { published.withLock { $0 = current } }
    }
    /// The same, for readers that need not wait for their turn.
    private nonisolated let published = Mutex<KeySet?>(nil)
    private var unknown: NegativeKeyCache
    private var running: Task<Attempt, Never>?
    private var lastAttempt: ContinuousClock.Instant?
    /// Unix seconds of the last attempt of this process that failed.
    private var lastFailure: Int?

    /// How one try to get a newer set ended.
    private enum Attempt: Sendable { case fetched, failed, forbidden }

    init(
        source: any KeySetSource, sharing: any KeySetSharing, rules: KeyDirectoryRules, metrics: MetricsRegistry,
        log: HostLog, now: @escaping @Sendable () -> Int
    ) {
        self.source = source
        self.sharing = sharing
        self.rules = rules
        self.metrics = metrics
        self.log = log
        self.now = now
        unknown = NegativeKeyCache(lifetime: .seconds(rules.unknownKeySeconds))
    }

    /// Whether a usable set is at hand.
    var isReady: Bool { current?.isUsable(at: now()) ?? false }

    /// The key of exactly this id, if memory has it fresh.
    nonisolated func freshKey(_ keyID: String) -> VerificationKey? {
        published.withLock { $0?.fresh(keyID, at: now()) }
    }

    /// The key of exactly this id; `mayFetch` is asked before a fetch, and `false` refuses the key as unknown instead.
    ///
    /// - Throws: `.unknownKey`, or `.keysUnavailable` when nobody can say.
    nonisolated func key(
        _ keyID: String, mayFetch: @Sendable () async -> Bool
    ) async throws(AuthFailure) -> VerificationKey {
        if let key = freshKey(keyID) { return key }
        return try await lookUp(keyID, mayFetch: mayFetch)
    }

    private func lookUp(
        _ keyID: String, mayFetch: @Sendable () async -> Bool
    ) async throws(AuthFailure) -> VerificationKey {
        if let key = current?.fresh(keyID, at: now()) { return key }
        if unknown.contains(keyID) { throw .unknownKey }
        await adoptShared()
        if let key = current?.fresh(keyID, at: now()) { return key }
        guard await mayFetch() else { throw .unknownKey }
        switch await refresh() {
        case .fetched:
            if let key = current?.fresh(keyID, at: now()) { return key }
            unknown.insert(keyID)
            throw .unknownKey
        case .failed:
            if let key = current?.stale(keyID, at: now()) { return key }
            throw .keysUnavailable
        case .forbidden:
            if let key = current?.stale(keyID, at: now()) { return key }
            throw lastAttemptSucceeded ? .unknownKey : .keysUnavailable
        }
    }

    /// Fetches at start, and later when 80 % of the fresh time is over; answers whether a usable set is at hand.
    @discardableResult
    func refreshIfDue() async -> Bool {
        guard current.map({ $0.isDue(at: now()) }) ?? true else { return true }
        await adoptShared()
        guard current.map({ $0.isDue(at: now()) }) ?? true else { return true }
        _ = await refresh()
        return isReady
    }

    private var lastAttemptSucceeded: Bool {
        guard let current else { return false }
        return current.fetchedAt >= lastFailure ?? 0 && current.isFresh(at: now())
    }

    /// Takes the set another process fetched when it is newer than ours.
    private func adoptShared() async {
        guard let shared = await sharing.load(), shared.fetchedAt > current?.fetchedAt ?? 0,
            shared.staleUntil > now(), shared.fetchedAt <= now() + 60, let set = shared.keySet()
        else { return }
        if set.fetchedAt > current?.fetchedAt ?? 0 { current = set }
    }

    /// One attempt at a time; who comes meanwhile waits for it.
    private func refresh() async -> Attempt {
        if let running { return await running.value }
        let task = Task { await self.attempt() }
        running = task
        let outcome = await task.value
        running = nil
        return outcome
    }

    private func attempt() async -> Attempt {
        let interval = Duration.seconds(rules.minimumRefreshSeconds)
        if let lastAttempt, ContinuousClock.now - lastAttempt < interval { return .forbidden }
        // Only a clear "no" forbids: while Redis is away the interval of this process holds alone.
        if await sharing.claimRefresh(forSeconds: rules.minimumRefreshSeconds) == false {
            await adoptShared()
            return .forbidden
        }
        lastAttempt = .now
        do throws(KeySetFetchFailure) {
            let set = try await fetch()
            current = set
            count("success")
            await sharing.save(SharedKeySet(set), forSeconds: set.staleUntil - set.fetchedAt)
            return .fetched
        } catch {
            lastFailure = now()
            count(error.rawValue)
            log.event("jwks_fetch_failed", .warn, [LogField(.reason, error.rawValue)])
            return .failed
        }
    }

    private func fetch() async throws(KeySetFetchFailure) -> KeySet {
        let fetched = try await source.fetch()
        let time = now()
        let fresh = min(max(fetched.maximumAge ?? rules.defaultFreshSeconds, 60), 3600)
        let parsed = KeySet.parse(
            fetched.json, fetchedAt: time, expiresAt: time + fresh, staleUntil: time + fresh + rules.staleSeconds)
        if parsed.ignored > 0 { metrics.increment(.jwksFetches, [.outcome: "key_ignored"], by: Double(parsed.ignored)) }
        guard let set = parsed.set else { throw .unusable }
        return set
    }

    private func count(_ outcome: String) {
        metrics.increment(.jwksFetches, [.outcome: outcome])
    }
}

extension KeySet {
    fileprivate func fresh(_ keyID: String, at now: Int) -> VerificationKey? { isFresh(at: now) ? keys[keyID] : nil }
    fileprivate func stale(_ keyID: String, at now: Int) -> VerificationKey? { isUsable(at: now) ? keys[keyID] : nil }
}
