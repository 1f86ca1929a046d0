/// Key ids that the provider's set did not have a moment ago; the least recently used goes first.
struct NegativeKeyCache: Sendable {
    private let capacity: Int
    private let lifetime: Duration
    private var entries: [String: (until: ContinuousClock.Instant, used: UInt64)] = [:]
    private var clock: UInt64 = 0

    init(capacity: Int = 1024, lifetime: Duration) {
        self.capacity = capacity
        self.lifetime = lifetime
    }

    mutating func contains(_ keyID: String, at now: ContinuousClock.Instant = .now) -> Bool {
        guard let entry = entries[keyID] else { return false }
        guard now < entry.until else {
            entries[keyID] = nil
            return false
        }
        clock += 1
        entries[keyID] = (entry.until, clock)
        return true
    }

    mutating func insert(_ keyID: String, at now: ContinuousClock.Instant = .now) {
        if entries.count >= capacity, entries[keyID] == nil,
            let oldest = entries.min(by: { $0.value.used < $1.value.used })
        {
            entries[oldest.key] = nil
        }
        clock += 1
        entries[keyID] = (now + lifetime, clock)
    }
}
