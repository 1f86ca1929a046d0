import Foundation
import HostRuntime
import HostStorage
import SimulatorKit
import Testing

@testable import LLMGateway

extension GatewayTests {
    @Test func `a running gateway settles beside its callers, and all of it before it ends`() async throws {
        try await Stand.run(["LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "1000"]) { stand async throws in
            let running = Task { try await stand.gateway.run() }
            try await stand.control.setOpenRouter(OpenRouterBehaviour(promptTokens: 100, completionTokens: 10))
            let answered = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<100 { group.addTask { await stand.ask().error == nil } }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(answered == 100)
            running.cancel()
            try await running.value
            #expect(try await stand.reservations() == 0)
            #expect(stand.metrics.value(of: .llmBudget, [.part: "spent"]) == 2100)
            // Nobody settles beside it any more: it does so itself.
            #expect(await stand.ask().error == nil)
            #expect(try await stand.reservations() == 0)
        }
    }

    @Test func `a cached answer outlives the process that wrote it`() async throws {
        try await Stand.run { stand async throws in
            let (sealing, user) = (TestSealing(), UUID())
            for isSecond in [false, true] {
                let other = try stand.another(sealing)
                let completion = try await other.ask("the same", user: user).get()
                #expect(completion.isCached == isSecond)
                try await other.gateway.shutdown()
                other.redis.shutdown()
            }
            #expect(try await stand.control.count(of: .chatCompletion) == 1)
        }
    }
}
