public import HostStorage

extension CapabilityResult {
    /// What is audited of the call to the model; nil when none was asked.
    public var audit: AuditModel? {
        guard let elapsed else { return nil }
        let (seconds, attoseconds) = elapsed.components
        var audit = AuditModel(
            outcome: error == nil ? "success" : error?.isDenial == true ? "denied" : "failure",
            errorType: error?.name, latencyMilliseconds: Int(seconds * 1000 + attoseconds / 1_000_000_000_000_000),
            degradation: degradation.map {
                AuditDegradation(
                    provider: $0.provider, failures: $0.failures, seconds: $0.seconds, hasRecovered: $0.hasRecovered)
            })
        guard let completion else { return audit }
        audit.model = completion.model
        audit.providerRequestID = completion.providerRequestID
        audit.promptTokens = Int(completion.usage.input)
        audit.completionTokens = Int(completion.usage.output)
        audit.cost = completion.cost
        audit.isCached = completion.isCached
        audit.isBudgetRouted = completion.isBudgetRouted
        return audit
    }
}
