import Crypto
import Foundation
import HostRuntime
import HostStorage
@testable import LLMGateway
import SimulatorKit
import Testing

struct MissingServer: Error {}

func testRedisURL() throws -> String {
    guard let url = ProcessInfo.processInfo.environment["TEST_REDIS_URL"] else { throw MissingServer() }
    return url
}

/// Seals for a user and key with a key of the test.
struct TestSealing: AnswerSealing {
    let key = SymmetricKey(size: .bits256)

    private func data(_ user: UUID, _ key: String) -> Data { Data("\(user) \(key)".utf8) }

    func seal(_ answer: [UInt8], user: UUID, key name: String, requestID: String) async -> [UInt8]? {
        (try? ChaChaPoly.seal(answer, using: key, authenticating: data(user, name))).map { Array($0.combined) }
    }

    func open(_ sealed: [UInt8], user: UUID, key name: String, requestID: String) async -> [UInt8]? {
        guard let box = try? ChaChaPoly.SealedBox(combined: sealed) else { return nil }
        return (try? ChaChaPoly.open(box, using: key, authenticating: data(user, name))).map { Array($0) }
    }
}

final class Lines: @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [String] = []
    var all: [String] { lock.withLock { kept } }
    var sink: LogSink { LogSink { line in self.lock.withLock { self.kept.append(line) } } }
}

/// A gateway of a test with a simulated OpenRouter and the real Redis, emptied.
struct Stand: Sendable {
    static let schema =
        #"{"type":"object","properties":{"answer":{"type":"string"}},"required":["answer"],"additionalProperties":false}"#

    let gateway: LLMGateway
    let endpoints: SimulatorEndpoints
    let control: SimulatorControl
    let redis: RedisConnection
    let lines: Lines
    let metrics: MetricsRegistry

    static func run(
        _ changes: [String: String] = [:], _ body: @escaping @Sendable (Stand) async throws -> Void
    ) async throws {
        let (endpoints, control) = try await simulators.value
        try await control.clearFaults()
        try await control.resetCalls()
        try await control.clearOpenRouter()
        try await control.setOpenRouter(OpenRouterBehaviour())
        let (models, limits) = try configuration(endpoints, changes)
        let redis = try RedisConnection(RedisOptions(url: try testRedisURL(), timeout: .seconds(5)))
        _ = try await redis.command(["FLUSHDB"])
        let lines = Lines()
        let metrics = MetricsRegistry()
        let gateway = try LLMGateway(
            models, limits, quotaPercentWhileDown: 10, redis: redis, sealing: TestSealing(),
            rootsFile: endpoints.caFile, log: HostLog(process: .worker, sink: lines.sink), metrics: metrics)
        try await gateway.start()
        try await body(
            Stand(
                gateway: gateway, endpoints: endpoints, control: control, redis: redis, lines: lines, metrics: metrics))
        // Whatever a test was about: keys, prompts and answers that are marked are told nowhere.
        #expect(!(lines.all.joined() + metrics.exposition()).contains("canary"))
        try await gateway.shutdown()
    }

    /// One set of them for the tests of one suite, which come one after the other: their keys take half a second.
    private static let simulators = Task {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "llm-simulators-\(ProcessInfo.processInfo.processIdentifier)")
        let simulators = try Simulators(SimulatorConfiguration(stateFolder: folder.path))
        Task { try await simulators.run() }
        let endpoints = try await simulators.endpoints()
        return (endpoints, SimulatorControl(baseURL: endpoints.control))
    }

    /// The gateway of another process with the same variables.
    func another(_ sealing: TestSealing) throws -> Stand {
        let (models, limits) = try Self.configuration(endpoints, [:])
        let redis = try RedisConnection(RedisOptions(url: try testRedisURL(), timeout: .seconds(5)))
        let gateway = try LLMGateway(
            models, limits, quotaPercentWhileDown: 10, redis: redis, sealing: sealing, rootsFile: endpoints.caFile,
            log: HostLog(process: .worker, sink: lines.sink), metrics: metrics)
        return Stand(
            gateway: gateway, endpoints: endpoints, control: control, redis: redis, lines: lines, metrics: metrics)
    }

    static func variables(_ endpoints: SimulatorEndpoints, _ changes: [String: String]) -> [String: String] {
        [
            "ALFRED_ENV": "local", "EGRESS_CA_FILE": endpoints.caFile, "OPENROUTER_API_KEY": "sk-canary-key",
            "OPENROUTER_CHAT_COMPLETIONS_URL": endpoints.openRouter, "OPENROUTER_RETRY_BASE_BACKOFF_MS": "1",
        ].merging(changes) { _, new in new }
    }

    static func configuration(
        _ endpoints: SimulatorEndpoints, _ changes: [String: String]
    ) throws -> (LLMConfiguration, LLMReliabilityConfiguration) {
        var reader = ConfigurationReader(
            EnvironmentSource.load(
                process: .worker, environment: variables(endpoints, changes), directory: NSTemporaryDirectory()))
        let models = LLMConfiguration(reading: &reader)
        let limits = LLMReliabilityConfiguration(reading: &reader)
        return (models, limits)
    }

    func ask(
        _ text: String = "canary-prompt \(UUID())", user: UUID = UUID(), deadline: Duration? = nil,
        check: @escaping @Sendable (String) -> [String] = { _ in [] }
    ) async -> Result<LLMCompletion, LLMError> {
        let request = LLMRequest(
            user: user, source: .evaluation, messages: [LLMMessage(.system, "Be brief."), LLMMessage(.user, text)],
            output: LLMOutputContract(name: "test", version: "1", schema: Self.schema, check: check),
            deadline: deadline)
        do throws(LLMError) { return .success(try await gateway.complete(request)) } catch { return .failure(error) }
    }

    func number(_ key: String) async throws -> Int {
        Int(String(decoding: try await redis.get("\(Scripts.prefix)\(key)") ?? [0x30], as: UTF8.self)) ?? -1
    }

    func reservations() async throws -> Int {
        Int(try await redis.command(["HLEN", RedisArgument("\(Scripts.prefix)budget:reservations")]).integer ?? -1)
    }
}

extension Result where Failure == LLMError {
    var error: LLMError? { if case .failure(let error) = self { error } else { nil } }
}
