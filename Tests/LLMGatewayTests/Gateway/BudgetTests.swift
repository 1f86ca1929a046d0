import Foundation
import Glibc
import HostRuntime
import HostStorage
@testable import LLMGateway
import SimulatorKit
import Testing

/// Ten processes with a hundred requests at once each, half of the processes killed, Redis killed and started again.
@Suite struct BudgetTests {
    static let limit = 30_000

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
            // What is set aside for dead processes is spent after its time, and nothing stays.
            let nothing = Settlement(
                admission: Admission(
                    id: "", models: [], reserved: 0, window: 0, probe: nil, isBudgetRouted: false), cost: 0)
            let key = RedisArgument("\(Scripts.prefix)budget:reservations")
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
