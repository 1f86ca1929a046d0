import HostRuntime
import Synchronization

/// The decisions of one process alone, while Redis is away: a share of every limit, only the budget's model, no cache.
final class LocalReliability: Sendable {
    /// Users remembered; beyond it a new one is refused until others' windows have passed.
    static let maximumUsers = 10_000

    private struct Breaker {
        var failures = 0
        var openedAt: Int?
        var probeUntil = 0
    }

    private struct State {
        var users: [String: [Int]] = [:]
        var all: [Int] = []
        var breakers: [String: Breaker] = [:]
        var open: [String: (window: Int, amount: Int, expiry: Int)] = [:]
        /// Micro-dollars by window that Redis has not been told of.
        var spent: [Int: Int] = [:]
        /// Micro-dollars by window that it has: this process' share stays used until the window ends.
        var kept: [Int: Int] = [:]
        var counter = 0
    }

    private let configuration: LLMReliabilityConfiguration
    private let percent: Int
    private let deadlineSeconds: Int
    private let state = Mutex(State())

    init(_ configuration: LLMReliabilityConfiguration, percent: Int, deadlineSeconds: Int) {
        self.configuration = configuration
        self.percent = percent
        self.deadlineSeconds = deadlineSeconds
    }

    private func share(_ limit: Int) -> Int { max(1, limit * percent / 100) }

    /// `micro`: microseconds since 1970.
    func admit(_ claim: Claim, micro now: Int) -> Verdict {
        state.withLock { state in
            let length = configuration.rateWindowSeconds * 1_000_000
            if claim.counts {
                if state.users.count >= Self.maximumUsers {
                    state.users = state.users.filter { ($0.value.last ?? 0) > now - length }
                }
                var own = state.users[claim.userHash] ?? []
                own.removeAll { $0 <= now - length }
                state.all.removeAll { $0 <= now - length }
                let limits = [
                    (LLMError.Scope.user, own, configuration.userLimit),
                    (.global, state.all, configuration.globalLimit),
                ]
                for (scope, entries, limit) in limits where entries.count >= share(limit) {
                    let left = (entries.first ?? now) + length - now
                    return .rateLimited(scope, retryAfterSeconds: max(1, (left + 999_999) / 1_000_000))
                }
                guard state.users[claim.userHash] != nil || state.users.count < Self.maximumUsers else {
                    return .rateLimited(.global, retryAfterSeconds: configuration.rateWindowSeconds)
                }
                state.users[claim.userHash] = own + [now]
                state.all.append(now)
            }
            return reserve(claim, &state, now)
        }
    }

    func reserve(_ claim: Claim, previous: Admission?, cost: Int?, micro now: Int) -> Verdict {
        state.withLock { state in
            if let previous { settle(previous, cost, &state) }
            return reserve(claim, &state, now)
        }
    }

    func settle(_ settlement: Settlement, micro now: Int) {
        state.withLock { state in
            settle(settlement.admission, settlement.cost, &state)
            for outcome in settlement.outcomes { note(outcome, &state, now) }
        }
    }

    /// What was spent since the last time this was asked, by window; open reservations stay for the next time.
    func takeSpent() -> [Int: Int] {
        state.withLock { state in
            let spent = state.spent
            for (window, amount) in spent { state.kept[window, default: 0] += amount }
            // Only the newest windows can still be asked for.
            for window in state.kept.keys.sorted().dropLast(4) { state.kept[window] = nil }
            state.spent = [:]
            return spent
        }
    }

    /// Puts back what could not be told.
    func putBack(_ amount: Int, window: Int) {
        state.withLock { state in
            state.spent[window, default: 0] += amount
            state.kept[window, default: 0] -= amount
        }
    }

    // MARK: - Parts

    private func reserve(_ claim: Claim, _ state: inout State, _ now: Int) -> Verdict {
        let model = claim.budgetModel
        var breaker = state.breakers[model.name] ?? Breaker()
        var isProbe = false
        if claim.ownProbe != model.name, let opened = breaker.openedAt {
            let ready = max(opened + configuration.breakerCooldownSeconds * 1_000_000, breaker.probeUntil)
            guard ready <= now else {
                return .circuitOpen(retryAfterSeconds: max(1, (ready - now + 999_999) / 1_000_000))
            }
            isProbe = true
        }
        let window = now / 1_000_000 / configuration.budgetWindowSeconds * configuration.budgetWindowSeconds
        for (id, entry) in state.open where entry.expiry <= now {
            state.open[id] = nil
            state.spent[entry.window, default: 0] += entry.amount
        }
        let open = state.open.values.reduce(0) { $0 + ($1.window == window ? $1.amount : 0) }
        let budget = max(1, min(configuration.budget, configuration.hardBudget ?? .max) * percent / 100)
        guard open + (state.kept[window] ?? 0) + (state.spent[window] ?? 0) + model.amount <= budget else {
            return .budgetExhausted
        }
        if isProbe {
            breaker.probeUntil = now + (deadlineSeconds + RedisReliability.probeMargin) * 1_000_000
            state.breakers[model.name] = breaker
        }
        state.counter += 1
        let id = "local-\(state.counter)"
        let lifetime = (deadlineSeconds + RedisReliability.reservationMargin) * 1_000_000
        state.open[id] = (window, model.amount, now + lifetime)
        return .go(
            Admission(
                id: id, models: [model.name], reserved: model.amount, window: window,
                probe: isProbe ? model.name : nil, isBudgetRouted: true, isLocal: true))
    }

    private func settle(_ admission: Admission, _ cost: Int?, _ state: inout State) {
        guard let entry = state.open.removeValue(forKey: admission.id) else { return }
        state.spent[entry.window, default: 0] += cost ?? entry.amount
    }

    private func note(_ outcome: ModelOutcome, _ state: inout State, _ now: Int) {
        var breaker = state.breakers[outcome.model] ?? Breaker()
        guard outcome.isProbe || breaker.openedAt == nil else { return }
        switch outcome.result {
        case .none: breaker.probeUntil = 0
        case .succeeded: breaker = Breaker()
        case .failed:
            breaker.failures += 1
            if outcome.isProbe || breaker.failures >= configuration.breakerThreshold {
                breaker.openedAt = now
                breaker.probeUntil = 0
            }
        }
        state.breakers[outcome.model] = breaker
    }
}
