import Foundation
import HostRuntime
import LLMEvaluation
import LLMGateway
import SimulatorKit
import Synchronization
import Testing

/// Live mode against the provider's own protocol.
@Suite struct LiveTests {
    private static let good = """
        {"version":"2026-02-15","output":{"title":"Two meetings","summary":"You have 2 meetings.",\
        "key_points":["09:00 - Design review","13:30 - Budget call"],"follow_ups":["Prepare the review"]}}
        """
    private static let unsafe = good.replacing("You have 2 meetings.", with: "See https://evil.example/x")

    private struct Ran: Sendable {
        var report: EvaluationReport
        var requests: [OpenRouterRequest]
    }

    private func run(
        _ behaviour: OpenRouterBehaviour, only: [String] = ["meetings_summary_core"], repeats: Int = 1,
        limit: Int = 500_000, least: Double = 1
    ) async throws -> Ran {
        let folder = FileManager.default.temporaryDirectory.appending(path: "llm-eval-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let ran = Mutex<Ran?>(nil)
        try await withSimulators(SimulatorConfiguration(stateFolder: folder.path)) { endpoints, control async throws in
            try await control.setOpenRouter(behaviour)
            let variables = [
                "ALFRED_ENV": "local", "EGRESS_CA_FILE": endpoints.caFile, "OPENROUTER_API_KEY": "sk-canary-key",
                "OPENROUTER_CHAT_COMPLETIONS_URL": endpoints.openRouter, "OPENROUTER_RETRY_BASE_BACKOFF_MS": "1",
                "OPENROUTER_MODEL_FALLBACK": "none", "OPENROUTER_HTTP_REFERER": "https://alfred.example",
                "OPENROUTER_APP_TITLE": "Alfred", "OPENROUTER_MAX_OUTPUT_TOKENS": "321",
                "OPENROUTER_DATA_COLLECTION": "allow", "OPENROUTER_ZDR": "true",
            ]
            var live = EvaluationCommand.Live(
                EnvironmentSource.load(
                    process: .evaluation, environment: variables, directory: NSTemporaryDirectory()))
            live.sink = LogSink { _ in }
            (live.repeats, live.limit, live.leastPassRate) = (repeats, limit, least)
            var command = EvaluationTests.command
            command.only = only
            let report = try await command.run(live)
            let requests = try await control.openRouterRequests()
            ran.withLock { $0 = Ran(report: report, requests: requests) }
        }
        return try #require(ran.withLock { $0 })
    }

    @Test func `a model that sometimes fails has a pass rate with its interval`() async throws {
        // The third run's answer and its repair are refused; the fourth is mended by its repair.
        let said = [Self.good, Self.good, Self.unsafe, Self.unsafe, "{}", Self.good]
        let ran = try await run(OpenRouterBehaviour(scripted: said, cost: 0.0001), repeats: 4, least: 0.75)
        let (report, result) = (ran.report, try #require(ran.report.results.first))
        #expect(report.failed == 0 && result.passedRuns == 3 && result.runs.count == 4)
        #expect(result.failures.map(\.check) == ["safe_output_source"])
        #expect(result.runs.map { $0.call?.cost } == [100, 100, 200, 200])
        #expect(result.runs.map { $0.call?.tries } == [1, 1, 0, 2])
        #expect(report.text.contains("3 of 4 runs passed (75.0 %; 95 % Wilson interval 30.1-95.4 %), $0.000600"))
        #expect(report.json["live"]?["cost_micro_usd"] == .integer(600))
        #expect(report.junit.contains("failures=\"0\""))
        #expect(report.html.contains("openai/gpt-4o-mini"))
        #expect(ran.requests.count == 6)
        let first = try #require(ran.requests.first)
        #expect(first.referer == "https://alfred.example" && first.title == "Alfred")
        let body = String(decoding: try JSONEncoder().encode(first.body), as: UTF8.self)
        #expect(body.contains("321") && body.contains("\"zdr\":true") && body.contains("\"allow\""))
    }

    @Test func `a rate below the least fails the case`() async throws {
        let said = [Self.unsafe, Self.unsafe, Self.good]
        let report = try await run(OpenRouterBehaviour(scripted: said), repeats: 2).report
        #expect(report.failed == 1)
        #expect(report.text.hasPrefix("FAIL meetings_summary_core\n"))
        #expect(report.html.contains("$.output.summary: holds a link or markup"))
    }

    @Test func `no call begins that could pass the limit`() async throws {
        let behaviour = OpenRouterBehaviour(answers: ["meetings_summary": Self.good], cost: 0.0006)
        let ran = try await run(behaviour, repeats: 50, limit: 3000)
        #expect((1..<5).contains(ran.requests.count))
        #expect(ran.report.failed == 1)
        #expect(ran.report.results.first?.runs.count == ran.requests.count)
        #expect(ran.report.text.contains("budget: the limit leaves no room for another call"))
        #expect(ran.report.json["live"]?["cost_micro_usd"] == .integer(ran.requests.count * 600))
    }

    @Test func `a provider that fails fails the check of the call, and its words stay out`() async throws {
        let report = try await run(OpenRouterBehaviour(apiKey: "another")).report
        #expect(report.text.contains("provider_request: provider_failure status=401 code=401"))
        #expect(!report.text.contains("auth credentials"))
        for text in [report.text, report.json.text, report.junit, report.html] {
            #expect(!text.contains("sk-canary-key"))
        }
    }

    @Test func `only cases that are meant for it are asked`() async throws {
        let report = try await run(OpenRouterBehaviour(), only: []).report
        let areLive = report.results.map(\.evaluated.isLive)
        #expect(!areLive.contains(false))
        #expect(Set(report.results.map(\.evaluated.capability)).count == Capability.allCases.count)
        await #expect(throws: EvaluationError.noLiveCase) {
            try await run(OpenRouterBehaviour(), only: ["urgent_email_none"])
        }
    }

    @Test func `wrong variables are named with their rules and without values`() async throws {
        var command = EvaluationTests.command
        command.only = ["meetings_summary_core"]
        let live = EvaluationCommand.Live(
            EnvironmentSource.load(
                process: .evaluation,
                environment: ["ALFRED_ENV": "local", "OPENROUTER_CHAT_COMPLETIONS_URL": "http://canary.example/v1"],
                directory: NSTemporaryDirectory()))
        var refusal: (any Error)?
        do { _ = try await command.run(live) } catch { refusal = error }
        guard case .configuration(let text)? = refusal as? EvaluationError else {
            Issue.record("ran, or another error: \(String(describing: refusal))")
            return
        }
        #expect(text.contains("OPENROUTER_API_KEY") && text.contains("OPENROUTER_CHAT_COMPLETIONS_URL"))
        #expect(!text.contains("canary"))
    }

    @Test(arguments: [
        (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (1, 1, 0.2065, 1.0),
        (81, 263, 0.2553, 0.3662),
    ])
    func `the interval is Wilson's`(passed: Int, count: Int, low: Double, high: Double) {
        let interval = PassRate(passed: passed, of: count).interval
        #expect(abs(interval.lowerBound - low) < 0.0001 && abs(interval.upperBound - high) < 0.0001)
    }
}
