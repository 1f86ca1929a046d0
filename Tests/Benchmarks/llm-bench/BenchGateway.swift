import Crypto
import Foundation
import HostRuntime
import HostStorage
import LLMGateway

/// The gateway as a process makes it, with limits that nothing here reaches.
struct BenchGateway: Sendable {
    private let gateway: LLMGateway
    private let runner: CapabilityRunner

    init(completions: String, redis url: String) throws {
        let settings = [
            "ALFRED_ENV": "local", "OPENROUTER_API_KEY": "sk-bench", "OPENROUTER_CHAT_COMPLETIONS_URL": completions,
            "OPENROUTER_ALLOW_INSECURE_HTTP": "true", "LLM_RATE_LIMIT_GLOBAL_MAX_REQUESTS": "100000",
            "LLM_RATE_LIMIT_PER_USER_MAX_REQUESTS": "100000", "LLM_RATE_LIMIT_WINDOW_SECONDS": "2",
            "LLM_BUDGET_MAX_ESTIMATED_COST_USD": "1000000",
        ]
        var reader = ConfigurationReader(
            EnvironmentSource.load(process: .worker, environment: settings, directory: "/"))
        let metrics = MetricsRegistry()
        gateway = try LLMGateway(
            LLMConfiguration(reading: &reader), LLMReliabilityConfiguration(reading: &reader),
            quotaPercentWhileDown: 10, redis: try RedisConnection(RedisOptions(url: url)), sealing: OwnKey(),
            rootsFile: nil, log: HostLog(process: .worker), metrics: metrics)
        runner = CapabilityRunner(model: gateway, metrics: metrics)
    }

    /// Runs it as a service while `body` runs.
    func run(_ body: () async -> Void) async throws {
        try await gateway.start()
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await gateway.run() }
            await body()
            group.cancelAll()
        }
    }

    func shutdown() async throws { try await gateway.shutdown() }

    /// Sends one of the prepared requests; whether its answer was accepted.
    func send(_ number: Int) async -> Bool {
        let like = Self.prepared[number % Self.prepared.count]
        let request = LLMRequest(
            user: like.user, source: like.source, messages: like.messages + [LLMMessage(.user, "\(number)")],
            output: like.output)
        return (try? await gateway.complete(request))?.isCached == false
    }

    private static let prepared = (0..<100).map { request($0) }

    /// The same with all that a capability does before and after; whether the model's answer was accepted.
    func ask(_ number: Int) async -> Bool {
        let result = await runner.run(Self.context(number), for: Self.requester(number))
        return result.source == .model && result.completion?.isCached == false
    }

    static func request(_ number: Int) -> LLMRequest {
        CapabilityRunner.request(context(number), for: requester(number))
    }

    private static func requester(_ number: Int) -> Requester {
        Requester(user: users[number % users.count], source: .assistantQuery)
    }

    private static let users = (0..<100).map { _ in UUID() }
    private static let meetings: [JSONValue] = (0..<6).map { place in
        .object([
            "event_ref": .string("event-\(place)"), "title": .string("Meeting \(place) about the plans of the quarter"),
            "all_day": .bool(false), "attendee_count": .integer(4), "start_at": .string("2026-02-16T0\(place):00:00Z"),
            "start_local": .string("0\(place):00"), "end_local": .string("0\(place):30"),
        ])
    }

    /// Never twice the same, so that no answer comes from the cache.
    private static func context(_ number: Int) -> CapabilityContext {
        CapabilityContext(
            .meetingsSummary,
            json: .object([
                "version": .string("2026-02-15"), "calendar_day": .string("2026-02-16"),
                "time_zone": .string("Europe/Berlin"), "meeting_count": .integer(meetings.count),
                "meetings": .array(meetings), "current_query": .string("What is on today, question \(number)?"),
            ]))
    }
}

/// Seals in this process, with the enclave's kind of cipher: the way to the enclave is not what is measured.
private struct OwnKey: AnswerSealing {
    private let key = SymmetricKey(size: .bits256)

    func seal(_ answer: [UInt8], user: UUID, key name: String, requestID: String) async -> [UInt8]? {
        (try? ChaChaPoly.seal(answer, using: key, authenticating: Array(name.utf8))).map { Array($0.combined) }
    }

    func open(_ sealed: [UInt8], user: UUID, key name: String, requestID: String) async -> [UInt8]? {
        guard let box = try? ChaChaPoly.SealedBox(combined: sealed) else { return nil }
        return (try? ChaChaPoly.open(box, using: key, authenticating: Array(name.utf8))).map { Array($0) }
    }
}
