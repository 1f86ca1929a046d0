/// How many challenges may be answered: a full bucket per second, its lower half for sessions only.
struct ChallengeBudget {
    private let perSecond: Int
    private var millitokens: Int
    private var filledAt: MonotonicInstant

    init(perSecond: Int, now: MonotonicInstant) {
        self.perSecond = perSecond
        millitokens = perSecond * 1000
        filledAt = now
    }

    /// Takes one challenge from the budget; false when there is none left for this purpose.
    mutating func take(isForSession: Bool, now: MonotonicInstant) -> Bool {
        if now > filledAt {
            let elapsed = Int(min((now.nanoseconds - filledAt.nanoseconds) / 1_000_000, 1000))
            if elapsed > 0 {
                millitokens = min(perSecond * 1000, millitokens + elapsed * perSecond)
                filledAt = now
            }
        }
        let kept = isForSession ? 0 : perSecond * 1000 / 2
        guard millitokens - 1000 >= kept else { return false }
        millitokens -= 1000
        return true
    }
}
