private let callers: ProcessKind = [.api, .worker, .evaluation]

extension EnvironmentCatalogue {
    static let llmRows: [EnvironmentVariable] = [
        row(
            "OPENROUTER_API_KEY", .llm, callers, .required, .text(1...512, .visible), secrecy: .value,
            meaning: "provider key"),
        row(
            "OPENROUTER_CHAT_COMPLETIONS_URL", .llm, callers,
            .value("https://openrouter.ai/api/v1/chat/completions"), .url(schemes: ["http", "https"], query: false),
            meaning: "completions endpoint"),
        row(
            "OPENROUTER_ALLOW_INSECURE_HTTP", .llm, callers, .value("false"), .boolean, .not("true"),
            meaning: "allow an http endpoint"),
        row(
            "OPENROUTER_HTTP_REFERER", .llm, callers, .unset("none"), .text(1...512, .visible),
            meaning: "sent as HTTP-Referer"),
        row(
            "OPENROUTER_APP_TITLE", .llm, callers, .unset("none"), .text(1...128, .visible), meaning: "sent as X-Title"),
        row(
            "OPENROUTER_TIMEOUT_MS", .llm, callers, .value("15000"), .integer(100...120_000),
            meaning: "timeout of one try"),
        row(
            "OPENROUTER_TOTAL_DEADLINE_MS", .llm, callers, .value("25000"), .integer(100...300_000),
            meaning: "longest request over all tries and models"),
        row("OPENROUTER_MAX_RETRIES", .llm, callers, .value("2"), .integer(0...10), meaning: "retries per model"),
        row(
            "OPENROUTER_RETRY_BASE_BACKOFF_MS", .llm, callers, .value("250"), .integer(1...60000),
            meaning: "first retry wait, doubling"),
        row(
            "OPENROUTER_MAX_OUTPUT_TOKENS", .llm, callers, .value("600"), .integer(16...32768), meaning: "max_tokens"),
        row(
            "OPENROUTER_MODEL_PRIMARY", .llm, callers, .value("openai/gpt-4o-mini"), .text(1...128, .model),
            meaning: "first model"),
        row(
            "OPENROUTER_MODEL_FALLBACK", .llm, callers, .value("anthropic/claude-3.5-haiku"),
            .text(1...128, .model), meaning: "second model; none disables it"),
        row(
            "OPENROUTER_DATA_COLLECTION", .llm, callers, .value("deny"), .choice(["deny", "allow"]),
            meaning: "provider data policy"),
        row(
            "OPENROUTER_ZDR", .llm, callers, .value("false"), .boolean,
            meaning: "only providers with zero data retention"),
    ]

    static let reliabilityRows: [EnvironmentVariable] = [
        row(
            "LLM_RATE_LIMIT_WINDOW_SECONDS", .reliability, [.api, .worker], .value("60"), .integer(1...86400),
            meaning: "window of both rate limits"),
        row(
            "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS", .reliability, [.api, .worker], .value("120"),
            .integer(1...100_000), meaning: "requests per window, all users"),
        row(
            "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS", .reliability, [.api, .worker], .value("30"),
            .integer(1...100_000), meaning: "requests per window, one user"),
        row(
            "LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD", .reliability, [.api, .worker], .value("5"), .integer(1...1000),
            meaning: "consecutive failed requests that open a model's breaker"),
        row(
            "LLM_CIRCUIT_BREAKER_COOLDOWN_SECONDS", .reliability, [.api, .worker], .value("60"), .integer(1...86400),
            meaning: "time open before a probe"),
        row(
            "LLM_CACHE_TTL_SECONDS", .reliability, [.api, .worker], .value("20"), .integer(1...3600),
            meaning: "life of a cached answer"),
        row(
            "LLM_CACHE_MAX_ENTRIES", .reliability, [.api, .worker], .value("256"), .integer(1...100_000),
            meaning: "cached answers in Redis, all users"),
        row(
            "LLM_BUDGET_WINDOW_SECONDS", .reliability, [.api, .worker], .value("3600"), .integer(1...2_678_400),
            meaning: "budget window"),
        row(
            "LLM_BUDGET_MAX_ESTIMATED_COST_USD", .reliability, [.api, .worker], .value("1.0"),
            .decimal(0.000001...1_000_000), meaning: "spend per window after which requests go to the budget model"),
        row(
            "LLM_BUDGET_MODEL", .reliability, [.api, .worker], .value("openai/gpt-4o-mini"), .text(1...128, .model),
            meaning: "model used past the budget"),
        row(
            "LLM_BUDGET_HARD_MAX_COST_USD", .reliability, [.api, .worker], .unset("none"),
            .decimal(0.000001...1_000_000), meaning: "spend per window after which requests are refused"),
        row(
            "LLM_PRICE_TABLE_PATH", .reliability, callers, .unset("built in"), .path, meaning: "replacement price table"
        ),
    ]

    static let testRows: [EnvironmentVariable] = [
        row(
            "TEST_DATABASE_URL", .tests, .tests, .value("postgres://postgres:postgres@127.0.0.1:5432/alfred_test"),
            .form("a Postgres URL whose database name contains test"), .refused,
            meaning: "database of the integration tests"),
        row(
            "TEST_REDIS_URL", .tests, .tests, .value("redis://127.0.0.1:6379/15"),
            .form("a Redis URL with a database number other than 0"), .refused,
            meaning: "Redis of the integration tests"),
    ]
}
