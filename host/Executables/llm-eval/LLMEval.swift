import ArgumentParser
import Foundation
import LLMEvaluation

/// Evaluates prompts, contracts and safety on cases: exit status 0 all passed, 1 a case failed, 2 usage or fixtures.
struct LLMEval: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "llm-eval", abstract: "Evaluates what language models are asked and what becomes of answers.",
        discussion: "Exit status: 0 all passed, 1 a case failed, 2 usage, fixtures or configuration.")

    @Option(help: "mocked; this version has no live mode.") var mode = "mocked"
    @Flag(help: "Write the goldens instead of comparing them.") var updateGoldens = false
    @Option(help: "Directory of the cases.") var cases: String?
    @Option(help: "Directory of the goldens.") var goldens: String?
    @Option(name: .customLong("case"), help: "Only this case; may repeat.") var only: [String] = []
    @Option(help: "Write a JSON report.") var json: String?
    @Option(help: "Write a JUnit report.") var junit: String?
    @Option(help: "Write an HTML report.") var html: String?

    mutating func validate() throws {
        switch mode.lowercased() {
        case "mocked": break
        case "live": throw ValidationError("live mode is not part of this version")
        default: throw ValidationError("--mode must be mocked")
        }
    }

    func report() throws -> EvaluationReport {
        var command = EvaluationCommand()
        if let cases { command.cases = cases }
        if let goldens { command.goldens = goldens }
        command.only = only
        command.updatesGoldens = updateGoldens
        (command.jsonFile, command.junitFile, command.htmlFile) = (json, junit, html)
        return try command.run()
    }
}

@main enum Program {
    static func main() {
        do {
            let report = try LLMEval.parse().report()
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
