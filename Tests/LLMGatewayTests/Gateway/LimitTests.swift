import Foundation
import HostRuntime
import HostStorage
@testable import LLMGateway
import SimulatorKit
import Testing

extension GatewayTests {
    private static func reliability(_ changes: [String: String]) throws -> RedisReliability {
        var reader = ConfigurationReader(
            EnvironmentSource.load(
                process: .worker, environment: changes.merging(["OPENROUTER_API_KEY": "k"]) { own, _ in own },
                directory: NSTemporaryDirectory()))
        let redis = try RedisConnection(RedisOptions(url: try testRedisURL(), timeout: .seconds(5)))
        return RedisReliability(redis, LLMReliabilityConfiguration(reading: &reader), totalDeadline: .seconds(5))
    }

    private static func claim(_ user: Int) -> Claim {
        let model = PricedModel(name: "m", amount: 1)
        return Claim(userHash: "user-\(user)", cacheKey: "", models: [model], budgetModel: model)
    }

    /// One user after the other, against the two counters that the limits are.
    @Test(arguments: 1...20)
    func `every decision is that of the model, and a refused request uses nothing`(seed: UInt64) async throws {
        var random = SeededGenerator(seed)
        let user = Int.random(in: 1...6, using: &random)
        let global = Int.random(in: 1...20, using: &random)
        let store = try Self.reliability([
            "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": "\(user)", "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "\(global)",
            "LLM_RATE_LIMIT_WINDOW_SECONDS": "86400",
        ])
        _ = try await store.redis.command(["FLUSHDB"])
        var counts: [Int: Int] = [:]
        for _ in 0..<80 {
            let who = Int.random(in: 0..<5, using: &random)
            let verdict = try await store.admit(Self.claim(who))
            if counts[who, default: 0] >= user {
                guard case .rateLimited(.user, _) = verdict else { throw Unexpected(verdict: verdict) }
            } else if counts.values.reduce(0, +) >= global {
                guard case .rateLimited(.global, _) = verdict else { throw Unexpected(verdict: verdict) }
            } else {
                guard case .go = verdict else { throw Unexpected(verdict: verdict) }
                counts[who, default: 0] += 1
            }
        }
        store.redis.shutdown()
    }

    /// Eight connections are eight processes to Redis.
    @Test func `no interleaving lets anybody over a limit, and a user at his limit uses up nobody else's`() async throws
    {
        let changes = [
            "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": "7", "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "50",
            "LLM_RATE_LIMIT_WINDOW_SECONDS": "86400",
        ]
        let stores = try (0..<8).map { _ in try Self.reliability(changes) }
        _ = try await stores[0].redis.command(["FLUSHDB"])
        let admitted = try await withThrowingTaskGroup(of: Int?.self) { group in
            for store in stores {
                for index in 0..<400 {
                    // The first user asks as often as all others together.
                    let who = index.isMultiple(of: 2) ? 0 : 1 + index % 6
                    group.addTask {
                        if case .go = try await store.admit(Self.claim(who)) { return who }
                        return nil
                    }
                }
            }
            return try await group.reduce(into: [Int: Int]()) { counts, who in
                if let who { counts[who, default: 0] += 1 }
            }
        }
        #expect(admitted.values.reduce(0, +) <= 50)
        // Users 0, 2, 4 and 6 ask: each has his seven, whatever the first one does.
        #expect(admitted.values.allSatisfy { $0 == 7 })
        for store in stores { store.redis.shutdown() }
    }

    /// By the times that Redis itself wrote down.
    @Test func `in no second, wherever it begins, is more admitted than a limit says`() async throws {
        let (user, global) = (3, 7)
        let stores = try (0..<4).map { _ in
            try Self.reliability([
                "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": "\(user)", "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "\(global)",
                "LLM_RATE_LIMIT_WINDOW_SECONDS": "1",
            ])
        }
        let redis = stores[0].redis
        _ = try await redis.command(["FLUSHDB"])
        let keys = (0..<4).map { "user:user-\($0)" } + ["global"]
        var entries: [String: [String: Int]] = [:]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (seed, store) in stores.enumerated() {
                group.addTask {
                    var random = SeededGenerator(UInt64(seed))
                    while !Task.isCancelled {
                        _ = try await store.admit(Self.claim(Int.random(in: 0..<4, using: &random)))
                        try? await Task.sleep(for: .milliseconds(5))
                    }
                }
            }
            let end = ContinuousClock.now + .milliseconds(2500)
            while ContinuousClock.now < end {
                for key in keys {
                    let name = RedisArgument("\(Scripts.prefix)rate_limit:\(key)")
                    let found = try await redis.command(["ZRANGE", name, "0", "-1", "WITHSCORES"]).array ?? []
                    for (member, score) in zip(found, found.dropFirst()).enumerated().filter({ $0.0.isMultiple(of: 2) })
                        .map(\.1)
                    {
                        entries[key, default: [:]][member.text ?? ""] = Int(score.text ?? "")
                    }
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            group.cancelAll()
        }
        #expect(entries["global", default: [:]].count > 2 * global - 1)
        for (key, times) in entries {
            let limit = key == "global" ? global : user
            let sorted = times.values.sorted()
            for (first, next) in zip(sorted, sorted.dropFirst(limit)) { #expect(next - first >= 1_000_000, "\(key)") }
        }
        for store in stores { store.redis.shutdown() }
    }

    @Test func `concurrent reservations never pass the budget, to the micro-dollar`() async throws {
        let stores = try (0..<8).map { _ in
            try Self.reliability([
                "LLM_BUDGET_MAX_ESTIMATED_COST_USD": "0.000777", "LLM_BUDGET_HARD_MAX_COST_USD": "0.000777",
                "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": "100000", "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "100000",
                "LLM_BUDGET_WINDOW_SECONDS": "2678400",
            ])
        }
        _ = try await stores[0].redis.command(["FLUSHDB"])
        let reserved = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<1_000 {
                group.addTask {
                    var claim = Self.claim(index)
                    claim.models[0].amount = 1 + index % 13
                    claim.budgetModel.amount = 1
                    guard case .go(let admission) = try await stores[index % 8].admit(claim) else { return 0 }
                    return admission.reserved
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(reserved == 777)
        for store in stores { store.redis.shutdown() }
    }

    @Test func `what Redis forgot of a request is counted when it is settled`() async throws {
        let store = try Self.reliability(["LLM_BUDGET_WINDOW_SECONDS": "2678400"])
        _ = try await store.redis.command(["FLUSHDB"])
        var claim = Self.claim(1)
        claim.models[0].amount = 500
        for (cost, spent) in [(Int?(21), 21), (nil, 521)] {
            guard case .go(let admission) = try await store.admit(claim) else { throw MissingServer() }
            for key in ["budget:reservations", "budget:expiries", "budget:open:\(admission.window)"] {
                try await store.redis.delete(Scripts.prefix + key)
            }
            let total = try await store.settle(Settlement(admission: admission, cost: cost)).spent
            #expect(total == spent)
        }
        store.redis.shutdown()
    }

    @Test func `while Redis is away a share of the limits holds, with the budget's model, and it is told later`()
        async throws
    {
        let server = try OwnRedis()
        defer { server.remove() }
        try await server.start()
        let folder = FileManager.default.temporaryDirectory.appending(path: "llm-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withSimulators(SimulatorConfiguration(stateFolder: folder.path)) { endpoints, control async throws in
            let (models, limits) = try Stand.configuration(
                endpoints,
                [
                    "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": "20", "LLM_BUDGET_MODEL": "openai/gpt-4o-mini-budget",
                    "LLM_BUDGET_WINDOW_SECONDS": "2678400", "LLM_RATE_LIMIT_WINDOW_SECONDS": "86400",
                ])
            let redis = try RedisConnection(RedisOptions(url: server.url))
            let lines = Lines()
            let gateway = try LLMGateway(
                models, limits, quotaPercentWhileDown: 10, redis: redis, sealing: TestSealing(),
                rootsFile: endpoints.caFile, log: HostLog(process: .worker, sink: lines.sink),
                metrics: MetricsRegistry())
            try await gateway.start()
            let stand = Stand(
                gateway: gateway, endpoints: endpoints, control: control, redis: redis, lines: lines,
                metrics: MetricsRegistry())
            try await control.setOpenRouter(OpenRouterBehaviour(promptTokens: 0, completionTokens: 500))
            let user = UUID()
            #expect(await stand.ask(user: user).error == nil)
            server.kill()
            for _ in 0..<2 {
                let completion = try await stand.ask(user: user).get()
                #expect(completion.isBudgetRouted && completion.model == "openai/gpt-4o-mini-budget")
            }
            guard case .rateLimited(.user, _) = await stand.ask(user: user).error else {
                Issue.record("not limited")
                return
            }
            try await server.start()
            let reliability = try #require(gateway.reliability)
            let end = ContinuousClock.now + .seconds(20)
            while reliability.isLocal, ContinuousClock.now < end {
                await reliability.recover()
                try await Task.sleep(for: .milliseconds(20))
            }
            let back = try await stand.ask(user: user).get()
            #expect(!back.isBudgetRouted)
            let window = Reliability.now / 1_000_000 / 2_678_400 * 2_678_400
            #expect(try await stand.number("budget:\(window)") == 4 * 300)
            #expect(lines.all.filter { $0.contains("llm_redis_lost") }.count == 1)
            try await gateway.shutdown()
            redis.shutdown()
        }
    }
}

struct Unexpected: Error { let verdict: Verdict }

/// Numbers that a seed decides.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
