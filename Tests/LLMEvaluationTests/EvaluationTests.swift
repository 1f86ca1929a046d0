import Foundation
import LLMEvaluation
import LLMGateway
import Testing

@Suite struct EvaluationTests {
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "host/LLMEvaluation/fixtures").path()

    private var command: EvaluationCommand {
        var command = EvaluationCommand()
        command.cases = Self.fixtures + "/cases"
        command.goldens = Self.fixtures + "/goldens"
        return command
    }

    @Test func `All shipped cases pass in mocked mode`() throws {
        let report = try command.run()
        #expect(report.failed == 0, "\(report.text)")
        #expect(report.results.count >= 40)
        #expect(Set(report.results.map(\.evaluated.capability)).count == Capability.allCases.count)
    }

    @Test func `A changed golden fails its case with both lines`() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "llm-eval-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        var changed = command
        changed.only = ["meetings_summary_core"]
        changed.goldens = directory.path()
        changed.updatesGoldens = true
        #expect(try changed.run().failed == 0)
        let file = directory.appending(path: "meetings_summary_core.golden.json")
        let golden = try String(contentsOf: file, encoding: .utf8)
        try Data(golden.replacing("\"mocked\"", with: "\"other\"").utf8).write(to: file)
        changed.updatesGoldens = false
        let report = try changed.run()
        #expect(report.failed == 1)
        #expect(report.text.contains("golden_snapshot"))
        #expect(report.results.first?.difference.count == 2)
        #expect(report.junit.contains("failures=\"1\""))
        #expect(report.html.contains("Difference"))
    }

    @Test func `An unknown field makes a case unreadable`() {
        #expect(throws: EvaluationError.unreadable("unknown field colour")) {
            try EvaluationCase(parsing: #"{"case_id":"a","colour":"red"}"#)
        }
    }
}
