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
            // Nobody settles beside it any more: it does so itself.
            #expect(await stand.ask().error == nil)
            #expect(try await stand.reservations() == 0)
            #expect(stand.metrics.value(of: .llmBudget, [.part: "spent"]) == 2121, "21 each")
        }
    }

    @Test func `what a lost Redis was not told is told when it is back, and counts once`() async throws {
        let server = try OwnRedis()
        defer { server.remove() }
        try await server.start()
        var reader = ConfigurationReader(
            EnvironmentSource.load(process: .worker, environment: ["ALFRED_ENV": "local"], directory: "/"))
        let limits = LLMReliabilityConfiguration(reading: &reader)
        let redis = try RedisConnection(RedisOptions(url: server.url, timeout: .seconds(5)))
        let reliability = Reliability(
            redis, limits, quotaPercentWhileDown: 1, totalDeadline: .seconds(30),
            log: HostLog(process: .worker, threshold: .error), metrics: MetricsRegistry())
        try await reliability.shared.load()
        func admitted() async throws -> Admission {
            let model = PricedModel(name: "m", amount: 1000)
            let claim = Claim(userHash: "u", cacheKey: "", models: [model], budgetModel: model)
            guard case .go(let admission) = await reliability.admit(claim) else { throw MissingServer() }
            return admission
        }
        let (first, second, third) = (try await admitted(), try await admitted(), try await admitted())
        await reliability.settle(Settlement(admission: first, cost: 1))
        server.kill()
        await reliability.settle(Settlement(admission: second, cost: 20))
        #expect(reliability.isLocal)
        await reliability.settle(Settlement(admission: third, cost: 300))
        // The answer to the first was lost, say: it is told again.
        await reliability.settle(Settlement(admission: first, cost: 1))
        try await server.start()
        let end = ContinuousClock.now + .seconds(20)
        while reliability.isLocal, ContinuousClock.now < end {
            await reliability.recover()
            try await Task.sleep(for: .milliseconds(20))
        }
        let nothing = Admission(id: "", models: [], reserved: 0, window: 0, probe: nil, isBudgetRouted: false)
        #expect(try await reliability.shared.settle(Settlement(admission: nothing, cost: 0)).spent == 321)
        redis.shutdown()
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
