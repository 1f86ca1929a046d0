import HostRuntime
import Testing

/// Every variable of the language models: a bad value ends the start, and the line names the variable.
@Suite struct LLMVariableTests {
    static let bad: [String: [String]] = [
        "OPENROUTER_API_KEY": ["two words", String(repeating: "k", count: 513)],
        "OPENROUTER_CHAT_COMPLETIONS_URL": ["openrouter.ai", "ftp://openrouter.ai/x", "https://openrouter.ai/x?key=1"],
        "OPENROUTER_ALLOW_INSECURE_HTTP": ["yes please"],
        "OPENROUTER_HTTP_REFERER": ["two words", String(repeating: "r", count: 513)],
        "OPENROUTER_APP_TITLE": ["tab\tin it", String(repeating: "t", count: 129)],
        "OPENROUTER_TIMEOUT_MS": ["99", "120001", "-1", "1.5", "soon"],
        "OPENROUTER_TOTAL_DEADLINE_MS": ["14999", "300001"],
        "OPENROUTER_MAX_RETRIES": ["-1", "11", "many"],
        "OPENROUTER_RETRY_BASE_BACKOFF_MS": ["0", "60001"],
        "OPENROUTER_MAX_OUTPUT_TOKENS": ["15", "32769"],
        "OPENROUTER_MODEL_PRIMARY": ["a model", String(repeating: "m", count: 129)],
        "OPENROUTER_MODEL_FALLBACK": ["a model", "mod\u{e9}l"],
        "OPENROUTER_DATA_COLLECTION": ["perhaps", "ALLOW"],
        "OPENROUTER_ZDR": ["maybe"],
        "LLM_RATE_LIMIT_WINDOW_SECONDS": ["0", "86401"],
        "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": ["0", "100001"],
        "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": ["0", "100001"],
        "LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD": ["0", "1001"],
        "LLM_CIRCUIT_BREAKER_COOLDOWN_SECONDS": ["0", "86401"],
        "LLM_CACHE_TTL_SECONDS": ["0", "3601"],
        "LLM_CACHE_MAX_ENTRIES": ["0", "100001"],
        "LLM_BUDGET_WINDOW_SECONDS": ["0", "2678401"],
        "LLM_BUDGET_MAX_ESTIMATED_COST_USD": ["0", "-1", "1000001", "1e3", "nan", "inf", "a dollar"],
        "LLM_BUDGET_MODEL": ["a model"],
        "LLM_BUDGET_HARD_MAX_COST_USD": ["0.5", "1000001", "all"],
    ]

    @Test(arguments: bad.sorted { $0.key < $1.key }.flatMap { entry in entry.value.map { (entry.key, $0) } })
    func `a bad value names its variable`(name: String, value: String) throws {
        #expect(try Start([name: value]).refused() == [name])
    }

    @Test func `none is forgotten here`() {
        let known = EnvironmentCatalogue.rows.map(\.name).filter {
            $0.hasPrefix("OPENROUTER_") || $0.hasPrefix("LLM_")
        }
        // The path of a price table is judged by what is there, at the start of the gateway.
        #expect(Set(known) == Set(Self.bad.keys).union(["LLM_PRICE_TABLE_PATH"]))
    }
}
