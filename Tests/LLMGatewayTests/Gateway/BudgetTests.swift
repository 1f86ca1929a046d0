import Foundation
import Glibc
import HostRuntime
import HostStorage
@testable import LLMGateway
import SimulatorKit
import Testing

/// Ten processes with a hundred requests at once each, half of the processes killed, Redis killed and started again.
///
/// Redis writes each command to disk before it answers (`appendfsync always`): what was answered is not forgotten. The
/// judge is the provider: what it sold is what was spent.
@Suite(.serialized) struct BudgetTests {
    static let limit = 30_000
    /// Longest life of a reservation with the deadline of these tests.
    static let lifetimeSeconds = 2 + RedisReliability.reservationMargin
    /// `scripts/chaos llm`: waits for the end of reservations in place of moving it forward.
    static var waits: Bool { ProcessInfo.processInfo.environment["ALFRED_BUDGET_WAIT"] == "1" }

    @Test(.timeLimit(.minutes(4)))
    func `killed processes and a restarted Redis never overspend, and no reservation outlives its time`() async throws {
        let server = try OwnRedis()
        defer { server.remove() }
        try await server.start()
        let folder = FileManager.default.temporaryDirectory.appending(path: "llm-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withSimulators(SimulatorConfiguration(stateFolder: folder.path)) { endpoints, control async throws in
            // Each completion costs 100 · 0.15 + 600 · 0.6 = 375 micro-dollars, nearly what is set aside.
            try await control.setOpenRouter(OpenRouterBehaviour(promptTokens: 100, completionTokens: 600))
            try await control.setFault(Fault(.chatCompletion, latencyMilliseconds: 300))
            let changes = [
                "LLM_BUDGET_MAX_ESTIMATED_COST_USD": "0.03", "LLM_BUDGET_HARD_MAX_COST_USD": "0.03",
                "LLM_BUDGET_WINDOW_SECONDS": "2678400", "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": "100000",
                "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "100000", "OPENROUTER_MODEL_FALLBACK": "none",
                "OPENROUTER_TIMEOUT_MS": "1000", "OPENROUTER_TOTAL_DEADLINE_MS": "2000",
                "BUDGET_WORKER_TASKS": "100", "BUDGET_WORKER_ASKS": "60", "REDIS_URL": server.url,
            ]
            let children = try (0..<10).map { _ in try Self.start(Stand.variables(endpoints, changes)) }
            defer { for child in children where child.isRunning { Glibc.kill(child.processIdentifier, SIGKILL) } }
            try await Self.wait { try await control.openRouterCompletions() > 5 }
            for child in children.prefix(5) { Glibc.kill(child.processIdentifier, SIGKILL) }
            server.kill()
            try await server.start()
            try await Self.wait { children.allSatisfy { !$0.isRunning } }
            let bought = try await control.openRouterCompletions() * 375
            let store = try Self.store(server.url, endpoints, changes)
            // What is set aside for dead processes stays until its time, is spent then, and nothing remains.
            let nothing = Settlement(
                admission: Admission(
                    id: "", models: [], reserved: 0, window: 0, probe: nil, isBudgetRouted: false), cost: 0)
            let key = RedisArgument("\(Scripts.prefix)budget:reservations")
            let left = try await Self.pass(store.redis, key)
            #expect(left > 0, "the killed processes had nothing on the way")
            try await Self.wait {
                try await store.settle(nothing)
                return try await store.redis.command(["HLEN", key]).integer == 0
            }
            let spent = try await store.settle(nothing).spent
            #expect(bought > 0 && bought <= spent, "bought \(bought), counted \(spent)")
            #expect(spent <= Self.limit, "counted \(spent)")
            store.redis.shutdown()
        }
    }

    /// Lets the time of the reservations pass; how many there were, none of them with a longer time than it may have.
    private static func pass(_ redis: RedisConnection, _ key: RedisArgument) async throws -> Int {
        let all = try await redis.command(["HGETALL", key]).array?.compactMap(\.text) ?? []
        let now = Int(Date().timeIntervalSince1970 * 1_000_000)
        for index in stride(from: 0, to: all.count - 1, by: 2) {
            let parts = all[index + 1].split(separator: ":").compactMap { Int($0) }
            try #require(parts.count == 3)
            #expect(parts[2] <= now + lifetimeSeconds * 1_000_000)
            guard !waits else { continue }
            let moved = "\(parts[0]):\(parts[1]):\(parts[2] - lifetimeSeconds * 1_000_000)"
            _ = try await redis.command(["HSET", key, RedisArgument(all[index]), RedisArgument(moved)])
            _ = try await redis.command([
                "ZADD", RedisArgument("\(Scripts.prefix)budget:expiries"),
                RedisArgument(parts[2] - lifetimeSeconds * 1_000_000), RedisArgument(all[index]),
            ])
        }
        return all.count / 2
    }

    /// Judged by the provider, which sees the user in the prompt.
    @Test(arguments: [(user: 5, all: 1000), (user: 9, all: 20)])
    func `no interleaving of processes lets a user or all over a limit, nor takes anything from the others`(
        limits: (user: Int, all: Int)
    ) async throws {
        let server = try OwnRedis()
        defer { server.remove() }
        try await server.start()
        let folder = FileManager.default.temporaryDirectory.appending(path: "llm-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withSimulators(SimulatorConfiguration(stateFolder: folder.path)) { endpoints, control async throws in
            let changes = [
                "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": "\(limits.user)", "LLM_RATE_LIMIT_WINDOW_SECONDS": "86400",
                "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "\(limits.all)", "OPENROUTER_MODEL_FALLBACK": "none",
                "BUDGET_WORKER_TASKS": "8", "BUDGET_WORKER_ASKS": "12", "BUDGET_WORKER_USERS": "4",
                "REDIS_URL": server.url,
            ]
            let children = try (0..<6).map { _ in try Self.start(Stand.variables(endpoints, changes)) }
            defer { for child in children where child.isRunning { Glibc.kill(child.processIdentifier, SIGKILL) } }
            try await Self.wait { children.allSatisfy { !$0.isRunning } }
            var asked: [String: Int] = [:]
            for request in try await control.openRouterRequests() {
                let text = request.body["messages"]?.elements?.last?["content"]?.text ?? ""
                asked[String(text.prefix { $0 != " " }), default: 0] += 1
            }
            #expect(asked.values.reduce(0, +) == min(limits.all, 4 * limits.user))
            #expect(asked.values.allSatisfy { $0 <= limits.user })
            // The first user asks as often as the others together; where there is room for all, each has all of his.
            if limits.all >= 4 * limits.user { #expect(asked.count == 4) }
        }
    }

    private static func start(_ variables: [String: String]) throws -> Process {
        let child = Process()
        child.executableURL = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
            .deletingLastPathComponent().appending(path: "budget-worker")
        if !FileManager.default.fileExists(atPath: child.executableURL?.path ?? "") {
            var root = URL(filePath: #filePath)
            for _ in 0..<4 { root.deleteLastPathComponent() }
            child.executableURL = root.appending(path: ".build/debug/budget-worker")
        }
        let system = ProcessInfo.processInfo.environment.filter {
            ["PATH", "HOME", "LD_LIBRARY_PATH"].contains($0.key)
        }
        child.environment = variables.merging(system) { own, _ in own }
        try child.run()
        return child
    }

    private static func store(
        _ url: String, _ endpoints: SimulatorEndpoints, _ changes: [String: String]
    ) throws -> RedisReliability {
        let (models, limits) = try Stand.configuration(endpoints, changes)
        return RedisReliability(
            try RedisConnection(RedisOptions(url: url)), limits, totalDeadline: models.totalDeadline)
    }

    private static func wait(_ condition: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(120)
        while try await !condition() {
            try #require(ContinuousClock.now < end, "waited in vain")
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}
