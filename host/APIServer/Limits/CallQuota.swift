import Synchronization

/// At most so many calls per second in this process.
final class CallQuota: Sendable {
    private let perSecond: Int
    private let recent = Mutex<[ContinuousClock.Instant]>([])

    init(perSecond: Int) { self.perSecond = perSecond }

    /// Counts a call, or refuses it.
    func admit(at now: ContinuousClock.Instant = .now) -> Bool {
        recent.withLock { recent in
            recent.removeAll { now - $0 >= .seconds(1) }
            guard recent.count < perSecond else { return false }
            recent.append(now)
            return true
        }
    }
}
