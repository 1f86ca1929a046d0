import Foundation
import Glibc
import HostRuntime
import HostStorage
import LLMGateway

/// Caches nothing.
struct NoSealing: AnswerSealing {
    func seal(_ answer: [UInt8], user: UUID, key: String, requestID: String) async -> [UInt8]? { nil }
    func open(_ sealed: [UInt8], user: UUID, key: String, requestID: String) async -> [UInt8]? { nil }
}

/// Asks models with many tasks at once, as the environment says, until it may not or has asked enough; for a test that
/// kills it.
func work() async throws {
    let environment = ProcessInfo.processInfo.environment
    let loaded = EnvironmentSource.load(process: .worker, environment: environment, directory: "/tmp")
    var reader = ConfigurationReader(loaded)
    let models = LLMConfiguration(reading: &reader)
    let limits = LLMReliabilityConfiguration(reading: &reader)
    let general = GeneralConfiguration(reading: &reader)
    let redis = try RedisConnection(RedisOptions(url: environment["REDIS_URL"] ?? ""))
    let gateway = try LLMGateway(
        models, limits, quotaPercentWhileDown: 1, redis: redis, sealing: NoSealing(),
        rootsFile: general.egressCAFile, log: HostLog(process: .worker, threshold: .error), metrics: MetricsRegistry())
    try await gateway.start()
    let contract = LLMOutputContract(
        name: "test", version: "1",
        schema: #"{"type":"object","properties":{},"additionalProperties":false,"required":[]}"#)
    await withTaskGroup(of: Void.self) { group in
        group.addTask { try? await gateway.run() }
        let tasks = Int(environment["BUDGET_WORKER_TASKS"] ?? "") ?? 1
        let asks = Int(environment["BUDGET_WORKER_ASKS"] ?? "") ?? 1
        // So many users, of whom the first asks as often as the others together; without, each request is another's.
        let users = Int(environment["BUDGET_WORKER_USERS"] ?? "") ?? 0
        await withTaskGroup(of: Void.self) { askers in
            for task in 0..<tasks {
                askers.addTask {
                    for ask in 0..<asks {
                        let number =
                            (task + ask).isMultiple(of: 2) || users < 2 ? 0 : 1 + (task + ask) / 2 % (users - 1)
                        let user = users > 0 ? UUID(uuidString: "00000000-0000-4000-8000-00000000000\(number)") : nil
                        let request = LLMRequest(
                            user: user ?? UUID(), source: .evaluation,
                            messages: [LLMMessage(.user, "user-\(number) \(UUID())")], output: contract)
                        do {
                            _ = try await gateway.complete(request)
                        } catch {
                            // Refused, or Redis or the provider was away: not at once again.
                            try? await Task.sleep(for: .milliseconds(20))
                        }
                    }
                }
            }
        }
        group.cancelAll()
    }
    try await gateway.shutdown()
}

do {
    try await work()
    _exit(0)
} catch {
    FileHandle.standardError.write(Data("budget-worker: \(type(of: error))\n".utf8))
    _exit(1)
}
