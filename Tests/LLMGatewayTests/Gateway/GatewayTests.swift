import Foundation
import HostRuntime
import HostStorage
@testable import LLMGateway
import SimulatorKit
import Testing

/// They share the Redis of the test run.
@Suite(.serialized) struct GatewayTests {
    @Test func `an answer keeps the schema, costs what the table says and is told without a word of it`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setOpenRouter(
                OpenRouterBehaviour(
                    apiKey: "sk-canary-key", scripted: [#"{"answer":"canary-answer"}"#], promptTokens: 100,
                    completionTokens: 10))
            let user = UUID()
            let completion = try await stand.ask(user: user).get()
            #expect(completion.text == #"{"answer":"canary-answer"}"# && completion.model == "openai/gpt-4o-mini")
            // 100 · 0.15 + 10 · 0.6
            #expect(completion.cost == 21 && completion.usage == TokenUsage(input: 100, output: 10))
            let asked = try await stand.control.openRouterRequests()
            let format = asked.first?.body["response_format"]
            #expect(format?["type"]?.text == "json_schema" && format?["json_schema"]?["strict"] == .bool(true))
            #expect(asked.first?.body["provider"]?["data_collection"]?.text == "deny")
            let sent = String(decoding: try JSONEncoder().encode(asked), as: UTF8.self)
            #expect(!sent.contains(user.uuidString) && !sent.contains(user.uuidString.lowercased()))
            let told = stand.lines.all.joined() + stand.metrics.exposition()
            #expect(told.contains("llm_request") && told.contains("gen_ai_client_token_usage"))
            #expect(!told.contains("canary"))
            #expect(try await stand.reservations() == 0)
        }
    }

    @Test func `a model without schemas is asked without one, and keeps to it`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setOpenRouter(OpenRouterBehaviour(withoutSchema: ["openai/gpt-4o-mini"]))
            _ = try await stand.ask().get()
            _ = try await stand.ask().get()
            let formats = try await stand.control.openRouterRequests().map { $0.body["response_format"]?["type"]?.text }
            #expect(formats == ["json_schema", "json_object", "json_object"])
        }
    }

    @Test func `a failing model is tried again, then the fallback answers`() async throws {
        try await Stand.run(["OPENROUTER_MAX_RETRIES": "2"]) { stand async throws in
            try await stand.control.setFault(
                Fault(.chatCompletion, effect: .status(code: 503), times: 3))
            let completion = try await stand.ask().get()
            #expect(completion.model == "anthropic/claude-3.5-haiku" && completion.tries == 4)
            #expect(try await stand.reservations() == 0)
        }
    }

    @Test func `without fallback a refusal that is not worth a repeat ends at once`() async throws {
        try await Stand.run(["OPENROUTER_MODEL_FALLBACK": "none"]) { stand async throws in
            try await stand.control.setFault(Fault(.chatCompletion, effect: .status(code: 402), times: nil))
            let error = await stand.ask().error
            #expect(error == .provider(status: 402, code: "unknown"))
            let calls = try await stand.control.count(of: .chatCompletion)
            #expect(calls == 1)
        }
    }

    @Test func `a Retry-After that does not fit the deadline goes to the next model at once`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setFault(
                Fault(.chatCompletion, effect: .status(code: 429, retryAfterSeconds: 3600), times: 1))
            let completion = try await stand.ask().get()
            #expect(completion.model == "anthropic/claude-3.5-haiku" && completion.tries == 2)
        }
    }

    @Test func `a flawed answer is an invalid payload`() async throws {
        try await Stand.run { stand async throws in
            for (flaw, payload): (OpenRouterBehaviour.Flaw, LLMError.Payload) in [
                (.malformedBody, .parseFailed), (.cutBody, .parseFailed), (.noChoice, .missingChoice),
                (.truncated, .truncated), (.refused, .refused), (.prose, .contentNotJSON),
            ] {
                try await stand.control.setOpenRouter(OpenRouterBehaviour(flaw: flaw))
                let error = await stand.ask().error
                #expect(error == .invalidPayload(payload))
                #expect(try await stand.reservations() == 0)
            }
        }
    }

    @Test func `a broken rule gets one repair turn on the same model`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setOpenRouter(
                OpenRouterBehaviour(scripted: [#"{"answer":"bad"}"#, #"{"answer":"good"}"#]))
            let completion = try await stand.ask(check: { $0.contains("good") ? [] : ["$.answer must be good"] }).get()
            #expect(completion.text == #"{"answer":"good"}"# && completion.tries == 2)
            let last = try await stand.control.openRouterRequests().last?.body["messages"]?.elements?.last
            #expect(last?["content"]?.text?.contains("$.answer must be good") == true)
            try await stand.control.setOpenRouter(OpenRouterBehaviour(obeyed: #"{"answer":"bad"}"#))
            let error = await stand.ask(check: { _ in ["$.answer must be good"] }).error
            #expect(error == .outputRejected(["$.answer must be good"]))
            #expect(try await stand.reservations() == 0)
        }
    }

    @Test func `the deadline holds over all tries, and a try without answer counts as bought`() async throws {
        try await Stand.run(["OPENROUTER_TIMEOUT_MS": "100", "OPENROUTER_TOTAL_DEADLINE_MS": "300"]) {
            stand async throws in
            try await stand.control.setFault(Fault(.chatCompletion, effect: .hang))
            let error = await stand.ask().error
            #expect(error == .deadlineExceeded || error == .timeout)
            #expect(try await stand.reservations() == 0)
            let spent = stand.metrics.value(of: .llmBudget, [.part: "spent"]) ?? 0
            #expect(spent > 0)
        }
    }

    @Test func `a cancelled caller cancels the call and leaves nothing set aside`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setFault(Fault(.chatCompletion, effect: .hang))
            let task = Task { await stand.ask().error }
            while try await stand.control.count(of: .chatCompletion) == 0 { await Task.yield() }
            task.cancel()
            #expect(await task.value == .cancelled)
            #expect(try await stand.reservations() == 0)
        }
    }

    @Test func `a second like question is answered from the cache, sealed, and only for its user`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setOpenRouter(OpenRouterBehaviour(obeyed: #"{"answer":"canary-cached"}"#))
            let user = UUID()
            _ = try await stand.ask("same", user: user).get()
            let second = try await stand.ask("same", user: user).get()
            #expect(second.isCached && second.cost == 0 && second.text == #"{"answer":"canary-cached"}"#)
            let other = try await stand.ask("same", user: UUID()).get()
            #expect(!other.isCached)
            let keys = try await stand.redis.command(["KEYS", "*cache:data:*"]).array?.compactMap(\.text) ?? []
            #expect(keys.count == 2)
            for key in keys {
                let value = try await stand.redis.get(key) ?? []
                #expect(!String(decoding: value, as: UTF8.self).contains("canary"))
                try await stand.redis.set(key, [1, 2, 3], expiresIn: .seconds(20))
            }
            let spoilt = try await stand.ask("same", user: user).get()
            #expect(!spoilt.isCached)
        }
    }

    @Test func `the cache forgets the oldest beyond its limit`() async throws {
        try await Stand.run(["LLM_CACHE_MAX_ENTRIES": "3"]) { stand async throws in
            for index in 0..<6 { _ = try await stand.ask("question \(index)").get() }
            let keys = try await stand.redis.command(["KEYS", "*cache:data:*"]).array ?? []
            #expect(keys.count == 3)
        }
    }

    @Test func `an open breaker fails closed, one probe finds the model again`() async throws {
        try await Stand.run([
            "OPENROUTER_MODEL_FALLBACK": "none", "OPENROUTER_MAX_RETRIES": "0",
            "LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD": "2", "LLM_CIRCUIT_BREAKER_COOLDOWN_SECONDS": "1",
            "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "100000",
        ]) { stand async throws in
            try await stand.control.setFault(Fault(.chatCompletion, effect: .status(code: 500), times: 2))
            for _ in 0..<2 { #expect(await stand.ask().error == .provider(status: 500, code: "unknown")) }
            #expect(await stand.ask().error == .circuitOpen(retryAfterSeconds: 1))
            try await stand.control.setFault(Fault(.chatCompletion, latencyMilliseconds: 200, times: 1))
            let end = ContinuousClock.now + .seconds(10)
            var answered = 0
            while answered == 0, ContinuousClock.now < end {
                let before = try await stand.control.count(of: .chatCompletion)
                answered = await withTaskGroup(of: Bool.self) { group in
                    for _ in 0..<8 { group.addTask { await stand.ask().error == nil } }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                let after = try await stand.control.count(of: .chatCompletion)
                #expect(answered == 0 || after - before == answered)
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(answered > 0)
            #expect(await stand.ask().error == nil)
        }
    }

    @Test func `past the budget the budget's model answers alone, past the hard one nobody`() async throws {
        try await Stand.run([
            "LLM_BUDGET_MAX_ESTIMATED_COST_USD": "0.0007", "LLM_BUDGET_HARD_MAX_COST_USD": "0.0014",
            "LLM_BUDGET_MODEL": "openai/gpt-4o-mini-budget", "OPENROUTER_MODEL_FALLBACK": "none",
        ]) { stand async throws in
            try await stand.control.setOpenRouter(OpenRouterBehaviour(promptTokens: 0, completionTokens: 600))
            let first = try await stand.ask().get()
            #expect(first.cost == 360 && !first.isBudgetRouted)
            let second = try await stand.ask().get()
            #expect(second.isBudgetRouted && second.model == "openai/gpt-4o-mini-budget")
            let third = try await stand.ask().get()
            #expect(third.isBudgetRouted)
            #expect(await stand.ask().error == .budgetExhausted)
        }
    }
}
