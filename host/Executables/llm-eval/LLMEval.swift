import ArgumentParser
import Foundation
import HostRuntime
import LLMEvaluation

/// Evaluates prompts, contracts and safety on cases: exit status 0 all passed, 1 a case failed, 2 anything else.
struct LLMEval: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "llm-eval", abstract: "Evaluates what language models are asked and what becomes of answers.",
        discussion: """
            Mocked mode needs no network and compares with goldens. Live mode asks a real model about the cases with \
            include_in_live_smoke; it reads OPENROUTER_*, LLM_PRICE_TABLE_PATH, EGRESS_CA_FILE, LOG_LEVEL and ALFRED_ENV \
            from the environment, and .env in local. It costs money, never more than --max-cost-usd.
            Exit status: 0 all passed, 1 a case failed, 2 usage, fixtures or configuration.
            """)

    @Option(help: "mocked or live.") var mode = "mocked"
    @Flag(help: "Mocked mode: write the goldens instead of comparing them.") var updateGoldens = false
    @Option(help: "Directory of the cases.") var cases: String?
    @Option(help: "Directory of the goldens.") var goldens: String?
    @Option(name: .customLong("case"), help: "Only this case; may repeat.") var only: [String] = []
    @Option(name: .customLong("repeat"), help: "Live mode: runs per case, 1-1000; the default is 1.") var repeats: Int?
    @Option(help: "Live mode: most dollars of the whole run; the default is 0.50.") var maxCostUsd: Double?
    @Option(help: "Live mode: share of a case's runs that must pass, 0-1; the default is 1.") var minPassRate: Double?
    @Option(help: "Write a JSON report.") var json: String?
    @Option(help: "Write a JUnit report.") var junit: String?
    @Option(help: "Write an HTML report.") var html: String?

    private var isLive: Bool { mode.lowercased() == "live" }

    mutating func validate() throws {
        guard ["mocked", "live"].contains(mode.lowercased()) else {
            throw ValidationError("--mode must be mocked or live")
        }
        if isLive, updateGoldens { throw ValidationError("--update-goldens is for mocked mode") }
        if !isLive, repeats != nil || maxCostUsd != nil || minPassRate != nil {
            throw ValidationError("--repeat, --max-cost-usd and --min-pass-rate are for live mode")
        }
        guard (1...1000).contains(repeats ?? 1) else { throw ValidationError("--repeat must be 1-1000") }
        guard (0.000001...1000).contains(maxCostUsd ?? 1) else {
            throw ValidationError("--max-cost-usd must be 0.000001-1000")
        }
        guard (0...1).contains(minPassRate ?? 1) else { throw ValidationError("--min-pass-rate must be 0-1") }
    }

    func report() async throws -> EvaluationReport {
        var command = EvaluationCommand()
        if let cases { command.cases = cases }
        if let goldens { command.goldens = goldens }
        command.only = only
        command.updatesGoldens = updateGoldens
        (command.jsonFile, command.junitFile, command.htmlFile) = (json, junit, html)
        guard isLive else { return try command.run() }
        var live = EvaluationCommand.Live(EnvironmentSource.load(process: .evaluation))
        if let repeats { live.repeats = repeats }
        if let maxCostUsd { live.limit = Int((maxCostUsd * 1_000_000 + 0.001).rounded(.down)) }
        if let minPassRate { live.leastPassRate = minPassRate }
        return try await command.run(live)
    }
}

@main enum Program {
    static func main() async {
        do {
            let report = try await LLMEval.parse().report()
            FileHandle.standardOutput.write(Data(report.text.utf8))
            exit(report.failed == 0 ? 0 : 1)
        } catch let error as EvaluationError {
            complain(error.text)
        } catch {
            if LLMEval.exitCode(for: error) == .success { LLMEval.exit(withError: error) }
            complain(LLMEval.fullMessage(for: error))
        }
        exit(2)
    }

    private static func complain(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}
