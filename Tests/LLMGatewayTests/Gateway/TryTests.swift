import Foundation
import HostRuntime
import HostStorage
import SimulatorKit
import Testing

@testable import LLMGateway

extension GatewayTests {
    @Test func `each status has its class: it stops, goes to the next model, or is asked of the same one again`()
        async throws
    {
        try await Stand.run(["LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD": "1000"]) { stand async throws in
            // Our key or credit: although there is a fallback.
            for status in [401, 402, 403] {
                try await stand.control.setFault(Fault(.chatCompletion, effect: .status(code: status), times: 2))
                let before = try await stand.control.count(of: .chatCompletion)
                #expect(await stand.ask().error == .provider(status: status, code: "unknown"))
                #expect(try await stand.control.count(of: .chatCompletion) == before + 1, "\(status)")
                #expect(await stand.ask().error == .provider(status: status, code: "unknown"))
            }
            for status in [400, 404, 413, 422] {
                try await stand.control.setFault(Fault(.chatCompletion, effect: .status(code: status), times: 1))
                let completion = try await stand.ask().get()
                #expect(completion.model == "anthropic/claude-3.5-haiku" && completion.tries == 2, "\(status)")
            }
            for status in [408, 429, 500, 502, 503, 504, 524, 529] {
                try await stand.control.setFault(Fault(.chatCompletion, effect: .status(code: status), times: 2))
                let completion = try await stand.ask().get()
                #expect(completion.model == "openai/gpt-4o-mini" && completion.tries == 3, "\(status)")
            }
            #expect(try await stand.reservations() == 0)
        }
    }

    @Test func `a Retry-After that fits is waited for`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setFault(
                Fault(.chatCompletion, effect: .status(code: 429, retryAfterSeconds: 1), times: 1))
            let start = ContinuousClock.now
            let completion = try await stand.ask().get()
            #expect(completion.model == "openai/gpt-4o-mini" && completion.tries == 2)
            #expect(start.duration(to: .now) >= .seconds(1))
        }
    }

    @Test func `an error inside of an answer is a failure of the provider`() async throws {
        try await Stand.run(["OPENROUTER_MODEL_FALLBACK": "none", "OPENROUTER_MAX_RETRIES": "1"]) {
            stand async throws in
            try await stand.control.setOpenRouter(OpenRouterBehaviour(flaw: .errorInside))
            #expect(await stand.ask().error == .provider(status: 502, code: "502"))
            #expect(try await stand.control.count(of: .chatCompletion) == 2)
        }
    }

    @Test func `an answer that was lost on its way counts as bought, and the next try reserves anew`() async throws {
        try await Stand.run { stand async throws in
            let user = UUID()
            let one = try await stand.ask("canary", user: user).get()
            try await stand.control.setFault(Fault(.chatCompletion, effect: .reset, moment: .afterwards, times: 1))
            let two = try await stand.ask("canary", user: UUID()).get()
            #expect(two.tries == 2 && two.cost > 2 * one.cost)
            #expect(stand.metrics.value(of: .llmBudget, [.part: "spent"]) == Double(one.cost + two.cost))
            #expect(try await stand.reservations() == 0)
        }
    }

    @Test func `a cost that the provider states is what is counted, to the micro-dollar`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setOpenRouter(OpenRouterBehaviour(cost: 0.000123))
            #expect(try await stand.ask().get().cost == 123)
            try await stand.control.setOpenRouter(OpenRouterBehaviour(cost: 0.0001231))
            #expect(try await stand.ask().get().cost == 124)
            #expect(stand.metrics.value(of: .llmBudget, [.part: "spent"]) == 247)
        }
    }

    @Test func `while one model's breaker is open the other serves, and only that one is asked`() async throws {
        try await Stand.run(["OPENROUTER_MAX_RETRIES": "0", "LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD": "1"]) {
            stand async throws in
            try await stand.control.setFault(Fault(.chatCompletion, effect: .status(code: 500), times: 1))
            #expect(try await stand.ask().get().tries == 2)
            let next = try await stand.ask().get()
            #expect(next.tries == 1 && next.model == "anthropic/claude-3.5-haiku")
            #expect(stand.metrics.value(of: .llmBreakerState, [.model: "openai/gpt-4o-mini"]) == 1)
        }
    }

    @Test func `neither a refused request nor a useless answer opens a breaker`() async throws {
        try await Stand.run([
            "OPENROUTER_MAX_RETRIES": "0", "OPENROUTER_MODEL_FALLBACK": "none",
            "LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD": "1",
        ]) { stand async throws in
            try await stand.control.setFault(Fault(.chatCompletion, effect: .status(code: 400), times: 1))
            #expect(await stand.ask().error == .provider(status: 400, code: "unknown"))
            try await stand.control.setOpenRouter(OpenRouterBehaviour(flaw: .prose))
            #expect(await stand.ask().error == .invalidPayload(.contentNotJSON))
            try await stand.control.setOpenRouter(OpenRouterBehaviour())
            #expect(await stand.ask(check: { _ in ["$: never right"] }).error == .outputRejected(["$: never right"]))
            #expect(await stand.ask().error == nil)
        }
    }

    @Test func `figures are by OpenTelemetry's names for generative AI, without content`() async throws {
        try await Stand.run { stand async throws in
            try await stand.control.setOpenRouter(OpenRouterBehaviour(promptTokens: 100, completionTokens: 10))
            _ = try await stand.ask().get()
            let told = stand.metrics.exposition()
            let common = """
                gen_ai_operation_name="chat",gen_ai_provider_name="openai",\
                gen_ai_request_model="openai/gpt-4o-mini",gen_ai_response_model="openai/gpt-4o-mini"
                """
            for line in [
                "gen_ai_client_token_usage_sum{\(common),gen_ai_token_type=\"input\"} 100",
                "gen_ai_client_token_usage_sum{\(common),gen_ai_token_type=\"output\"} 10",
                "gen_ai_client_token_usage_bucket{\(common),gen_ai_token_type=\"output\",le=\"67108864\"} 1",
                "gen_ai_client_operation_duration_seconds_bucket{\(common),error_type=\"\",le=\"81.92\"} 1",
                "gen_ai_client_operation_duration_seconds_count{\(common),error_type=\"\"} 1",
            ] {
                #expect(told.contains(line), "\(line)")
            }
            let line = try #require(stand.lines.all.last { $0.contains("llm_request") })
            for field in [
                #""gen_ai_operation_name":"chat""#, #""gen_ai_provider_name":"openai""#,
                #""gen_ai_request_model":"openai/gpt-4o-mini""#, #""gen_ai_usage_input_tokens":100"#,
                #""gen_ai_usage_output_tokens":10"#,
            ] {
                #expect(line.contains(field), "\(field)")
            }
        }
    }
}
