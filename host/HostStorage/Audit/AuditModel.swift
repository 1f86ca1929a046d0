/// A call to a language model as audit events tell it; never a prompt or an answer.
public struct AuditModel: Sendable, Equatable {
    /// `success`, `failure` or `denied`.
    public var outcome: String
    public var model: String?
    /// A fixed word; nil after a success.
    public var errorType: String?
    public var providerRequestID: String?
    public var latencyMilliseconds: Int?
    public var promptTokens: Int?
    public var completionTokens: Int?
    /// Micro-dollars.
    public var cost: Int?
    public var isCached: Bool?
    public var isBudgetRouted: Bool?
    /// While the provider fails for long, and once when that has ended.
    public var degradation: AuditDegradation?

    public init(
        outcome: String, model: String? = nil, errorType: String? = nil, providerRequestID: String? = nil,
        latencyMilliseconds: Int? = nil, promptTokens: Int? = nil, completionTokens: Int? = nil, cost: Int? = nil,
        isCached: Bool? = nil, isBudgetRouted: Bool? = nil,
        degradation: AuditDegradation? = nil
    ) {
        self.outcome = outcome
        self.model = model
        self.errorType = errorType
        self.providerRequestID = providerRequestID
        self.latencyMilliseconds = latencyMilliseconds
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cost = cost
        self.isCached = isCached
        self.isBudgetRouted = isBudgetRouted
        self.degradation = degradation
    }

    var fields: [(String, AuditValue)] {
        let total = promptTokens.flatMap { prompt in completionTokens.map { prompt + $0 } }
        let provider = model.map { String($0.prefix { $0 != "/" }) }
        let found: [(String, AuditValue?)] = [
            ("llm_request_outcome", .code(outcome)), ("llm_provider", provider.map(AuditValue.code)),
            ("llm_model", model.map(AuditValue.code)), ("llm_error_type", errorType.map(AuditValue.code)),
            ("llm_provider_request_id", providerRequestID.map(AuditValue.ref)),
            ("llm_latency_ms", latencyMilliseconds.map(AuditValue.int)),
            ("llm_prompt_tokens", promptTokens.map(AuditValue.int)),
            ("llm_completion_tokens", completionTokens.map(AuditValue.int)),
            ("llm_total_tokens", total.map(AuditValue.int)), ("llm_estimated_cost_usd", cost.map(AuditValue.usd)),
            ("llm_cache_hit", isCached.map(AuditValue.bool)),
            ("llm_budget_routed", isBudgetRouted.map(AuditValue.bool)),
            ("llm_degradation_provider", degradation.map { .code($0.provider) }),
            ("llm_provider_degradation_failures", degradation.map { .int($0.failures) }),
            ("llm_provider_degradation_seconds", degradation.map { .int($0.seconds) }),
            ("llm_provider_recovered", degradation.map { .bool($0.hasRecovered) }),
        ]
        return found.compactMap { name, value in value.map { (name, $0) } }
    }
}

/// A long row of failures of a provider, as one process sees it.
public struct AuditDegradation: Sendable, Equatable {
    public var provider: String
    public var failures: Int
    public var seconds: Int
    public var hasRecovered: Bool

    public init(provider: String, failures: Int, seconds: Int, hasRecovered: Bool) {
        self.provider = provider
        self.failures = failures
        self.seconds = seconds
        self.hasRecovered = hasRecovered
    }
}
