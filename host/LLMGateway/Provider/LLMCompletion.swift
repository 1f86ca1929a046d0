/// Tokens that a model read and wrote.
public struct TokenUsage: Sendable, Hashable {
    public var input: UInt32
    public var output: UInt32

    public init(input: UInt32 = 0, output: UInt32 = 0) {
        self.input = input
        self.output = output
    }
}

/// An accepted answer.
public struct LLMCompletion: Sendable, Hashable {
    /// JSON text that kept the request's contract.
    public var text: String
    /// The model that answered, as the provider names it.
    public var model: String
    public var usage: TokenUsage
    /// Micro-dollars of this request, repair and failed tries included; 0 from the cache.
    public var cost: Int
    public var isCached: Bool
    /// Whether the budget was spent, so that the budget's model answered.
    public var isBudgetRouted: Bool
    public var tries: Int
    /// The provider's id of the answer; nil from the cache.
    public var providerRequestID: String?

    public init(
        text: String, model: String, usage: TokenUsage = .init(), cost: Int = 0, isCached: Bool = false,
        isBudgetRouted: Bool = false, tries: Int = 0, providerRequestID: String? = nil
    ) {
        self.text = text
        self.model = model
        self.usage = usage
        self.cost = cost
        self.isCached = isCached
        self.isBudgetRouted = isBudgetRouted
        self.tries = tries
        self.providerRequestID = providerRequestID
    }
}

/// Why there is no answer; nothing of a prompt or an answer is in it.
public enum LLMError: Error, Equatable, Sendable {
    /// What was wrong with a provider's answer.
    public enum Payload: String, Sendable, CaseIterable {
        case bodyReadFailed = "response_body_read_failed"
        case parseFailed = "response_json_parse_failed"
        case missingChoice = "missing_choice"
        case contentNotJSON = "content_not_json"
        case unsupportedShape = "unsupported_content_shape"
        case truncated, refused
    }
    public enum Scope: String, Sendable { case user, global }

    case timeout
    /// `code` is the provider's, or `unknown`.
    case provider(status: Int, code: String)
    /// No connection, or it was lost.
    case unavailable
    case noModel
    case rateLimited(Scope, retryAfterSeconds: Int)
    case circuitOpen(retryAfterSeconds: Int)
    case budgetExhausted
    case deadlineExceeded
    case invalidPayload(Payload)
    /// The last output broke these rules, repaired once or not; rules and paths only.
    case outputRejected([String])
    case cancelled

    /// The word in logs, metrics and traces.
    public var name: String {
        switch self {
        case .timeout: "timeout"
        case .provider: "provider_failure"
        case .unavailable: "request_unavailable"
        case .noModel: "no_openrouter_model_candidates"
        case .rateLimited: "rate_limited"
        case .circuitOpen: "circuit_breaker_open"
        case .budgetExhausted: "budget_exhausted"
        case .deadlineExceeded: "deadline_exceeded"
        case .invalidPayload: "invalid_provider_payload"
        case .outputRejected: "output_rejected"
        case .cancelled: "cancelled"
        }
    }

    /// Fixed words and numbers that say more.
    public var detail: String {
        switch self {
        case .provider(let status, let code): "status=\(status) code=\(code)"
        case .rateLimited(let scope, let wait): "scope=\(scope.rawValue) retry_after_seconds=\(wait)"
        case .circuitOpen(let wait): "retry_after_seconds=\(wait)"
        case .invalidPayload(let payload): payload.rawValue
        default: name
        }
    }

    /// Our own decision, not the provider's failure.
    public var isDenial: Bool {
        switch self {
        case .rateLimited, .circuitOpen, .budgetExhausted, .cancelled, .noModel: true
        default: false
        }
    }
}

/// Whatever answers questions: the gateway, or a model of a test.
public protocol LanguageModel: Sendable {
    /// Answers once, or says why not; a cancelled caller cancels the call to the provider.
    func complete(_ request: LLMRequest) async throws(LLMError) -> LLMCompletion
    /// The same, with what the provider's row of failures, if any, has come to.
    func respond(to request: LLMRequest) async -> LLMResponse
}
