/// What was admitted: the models that may be tried, and the money set aside for a try.
struct Admission: Sendable, Equatable {
    /// Name of the reservation.
    var id: String
    var models: [String]
    /// Micro-dollars set aside.
    var reserved: Int
    /// Start of the budget's window.
    var window: Int
    /// The model whose breaker waits for this request's outcome.
    var probe: String?
    var isBudgetRouted: Bool
    /// Decided by this process alone, while Redis is away.
    var isLocal = false
}

/// The answer before a request.
enum Verdict: Sendable, Equatable {
    case go(Admission)
    case cached([UInt8])
    case rateLimited(LLMError.Scope, retryAfterSeconds: Int)
    case circuitOpen(retryAfterSeconds: Int)
    case budgetExhausted
}

/// How a model did in one request.
struct ModelOutcome: Sendable, Equatable {
    enum Result: String, Sendable { case succeeded = "ok", failed, none }
    var model: String
    var result: Result
    var isProbe: Bool
}

/// A model with the most that one try may cost.
struct PricedModel: Sendable, Equatable {
    var name: String
    var amount: Int
}

/// What one request asks of the reliability layer.
struct Claim: Sendable {
    /// SHA-256 of the user id, hexadecimal.
    var userHash: String
    /// The cache's key; empty: not looked up.
    var cacheKey: String
    var models: [PricedModel]
    var budgetModel: PricedModel
    /// False when the request was counted already.
    var counts = true
    /// The model whose probe this request is already; empty: none.
    var ownProbe = ""
}

/// What a request leaves behind.
struct Settlement: Sendable {
    var admission: Admission
    /// Micro-dollars; nil when unknown: then all that was set aside.
    var cost: Int?
    var outcomes: [ModelOutcome] = []
    /// Key and sealed answer for the cache.
    var cache: (key: String, value: [UInt8])?
}
