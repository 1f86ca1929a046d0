import Synchronization

/// The limit of one run alone, without Redis: no request begins whose dearest outcome would pass it.
final class SpendingGuard: AdmissionControl {
    /// Micro-dollars.
    private let limit: Int
    /// Spent, and set aside by requests that are under way.
    private let used = Mutex(0)

    init(limit: Int) { self.limit = limit }

    var spent: Int { used.withLock { $0 } }

    func admit(_ claim: Claim) async -> Verdict { take(claim) }

    func reserve(_ claim: Claim, previous: Admission, cost: Int?) async -> Verdict {
        giveBack(previous, cost: cost)
        return take(claim)
    }

    func settle(_ settlement: Settlement) async { giveBack(settlement.admission, cost: settlement.cost) }

    func forget(cacheKey: String) async {}

    private func take(_ claim: Claim) -> Verdict {
        used.withLock { used in
            let affordable = claim.models.filter { used + $0.amount <= limit }
            guard let dearest = affordable.map(\.amount).max() else { return .budgetExhausted }
            used += dearest
            return .go(
                Admission(
                    id: "run", models: affordable.map(\.name), reserved: dearest, window: 0, probe: nil,
                    isBudgetRouted: false))
        }
    }

    /// What was set aside and not used; an unknown cost is all of it.
    private func giveBack(_ admission: Admission, cost: Int?) {
        guard !admission.id.isEmpty else { return }
        used.withLock { $0 += (cost ?? admission.reserved) - admission.reserved }
    }
}
