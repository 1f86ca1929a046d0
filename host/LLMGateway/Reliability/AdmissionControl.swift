/// Decides which requests may go out, and keeps account of what they cost.
protocol AdmissionControl: Sendable {
    func admit(_ claim: Claim) async -> Verdict
    /// Settles `previous` and sets money aside anew.
    func reserve(_ claim: Claim, previous: Admission, cost: Int?) async -> Verdict
    func settle(_ settlement: Settlement) async
    /// Drops a cached answer that does not open.
    func forget(cacheKey: String) async
}

extension Reliability: AdmissionControl {}
