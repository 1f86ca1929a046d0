/// How language models are called.
public struct LLMConfiguration: Sendable {
    public let apiKey: Secret
    public let completionsURL: ServiceURL
    public let referer: String?
    public let title: String?
    /// Of one try.
    public let timeout: Duration
    /// Of a request, all tries and models included.
    public let totalDeadline: Duration
    /// Per model, after the first try.
    public let maximumRetries: Int
    public let firstBackoff: Duration
    public let maximumOutputTokens: Int
    public let primaryModel: String
    /// Nil when it is switched off.
    public let fallbackModel: String?
    /// `deny` or `allow`.
    public let dataCollection: String
    public let zeroDataRetention: Bool
    /// Nil for the built-in table.
    public let priceTablePath: String?

    public init(reading reader: inout ConfigurationReader) {
        apiKey = reader.secret("OPENROUTER_API_KEY") ?? Secret("")
        completionsURL = reader.requiredURL("OPENROUTER_CHAT_COMPLETIONS_URL")
        if !reader.boolean("OPENROUTER_ALLOW_INSECURE_HTTP"), !completionsURL.isHTTPS {
            reader.refuse(
                "OPENROUTER_CHAT_COMPLETIONS_URL", "must be https unless OPENROUTER_ALLOW_INSECURE_HTTP is on")
        }
        referer = reader.text("OPENROUTER_HTTP_REFERER")
        title = reader.text("OPENROUTER_APP_TITLE")
        timeout = reader.milliseconds("OPENROUTER_TIMEOUT_MS")
        totalDeadline = reader.milliseconds("OPENROUTER_TOTAL_DEADLINE_MS")
        if totalDeadline < timeout {
            reader.refuse("OPENROUTER_TOTAL_DEADLINE_MS", "must be at least OPENROUTER_TIMEOUT_MS")
        }
        maximumRetries = reader.integer("OPENROUTER_MAX_RETRIES")
        firstBackoff = reader.milliseconds("OPENROUTER_RETRY_BASE_BACKOFF_MS")
        maximumOutputTokens = reader.integer("OPENROUTER_MAX_OUTPUT_TOKENS")
        primaryModel = reader.requiredText("OPENROUTER_MODEL_PRIMARY")
        let fallback = reader.requiredText("OPENROUTER_MODEL_FALLBACK")
        fallbackModel = fallback.lowercased() == "none" || fallback == primaryModel ? nil : fallback
        dataCollection = reader.requiredText("OPENROUTER_DATA_COLLECTION")
        zeroDataRetention = reader.boolean("OPENROUTER_ZDR")
        priceTablePath = reader.text("LLM_PRICE_TABLE_PATH").map(reader.absolutePath)
    }

    /// The models in the order of their tries.
    public var models: [String] { [primaryModel] + (fallbackModel.map { [$0] } ?? []) }
}

/// What all processes together allow themselves.
public struct LLMReliabilityConfiguration: Sendable {
    public let rateWindowSeconds: Int
    public let globalLimit: Int
    public let userLimit: Int
    public let breakerThreshold: Int
    public let breakerCooldownSeconds: Int
    public let cacheLifetimeSeconds: Int
    public let cacheMaximumEntries: Int
    public let budgetWindowSeconds: Int
    /// Micro-dollars per window after which requests go to the budget's model.
    public let budget: Int
    public let budgetModel: String
    /// Micro-dollars per window after which requests are refused.
    public let hardBudget: Int?

    public init(reading reader: inout ConfigurationReader) {
        rateWindowSeconds = reader.integer("LLM_RATE_LIMIT_WINDOW_SECONDS")
        globalLimit = reader.integer("LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS")
        userLimit = reader.integer("LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS")
        breakerThreshold = reader.integer("LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD")
        breakerCooldownSeconds = reader.integer("LLM_CIRCUIT_BREAKER_COOLDOWN_SECONDS")
        cacheLifetimeSeconds = reader.integer("LLM_CACHE_TTL_SECONDS")
        cacheMaximumEntries = reader.integer("LLM_CACHE_MAX_ENTRIES")
        budgetWindowSeconds = reader.integer("LLM_BUDGET_WINDOW_SECONDS")
        budget = Self.microDollars("LLM_BUDGET_MAX_ESTIMATED_COST_USD", &reader) ?? 0
        budgetModel = reader.requiredText("LLM_BUDGET_MODEL")
        hardBudget = Self.microDollars("LLM_BUDGET_HARD_MAX_COST_USD", &reader)
        if let hardBudget, hardBudget < budget {
            reader.refuse("LLM_BUDGET_HARD_MAX_COST_USD", "must be at least LLM_BUDGET_MAX_ESTIMATED_COST_USD")
        }
    }

    /// Rounded down, so that no limit grows by rounding; what a binary fraction lacks to a whole number is no fraction.
    private static func microDollars(_ name: String, _ reader: inout ConfigurationReader) -> Int? {
        reader.text(name).flatMap(parseDecimal).map { Int(($0 * 1_000_000 + 0.001).rounded(.down)) }
    }
}
