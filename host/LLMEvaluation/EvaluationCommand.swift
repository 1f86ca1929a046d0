import LLMGateway

/// One run of the harness with its reports.
public struct EvaluationCommand: Sendable {
    public var cases = "host/LLMEvaluation/fixtures/cases"
    public var goldens = "host/LLMEvaluation/fixtures/goldens"
    /// Only these; empty: all.
    public var only: [String] = []
    public var updatesGoldens = false
    public var jsonFile: String?
    public var junitFile: String?
    public var htmlFile: String?

    public init() {}

    /// The mocked cases, judged; reports are written.
    public func run() throws(EvaluationError) -> EvaluationReport {
        var chosen = try EvaluationFixtures.cases(in: cases)
        if !only.isEmpty {
            if let id = only.first(where: { id in !chosen.contains { $0.id == id } }) {
                throw .unreadable("no case \(id)")
            }
            chosen = chosen.filter { only.contains($0.id) }
        }
        let report = EvaluationReport(
            chosen.map { Evaluation.mocked($0, goldens: goldens, updating: updatesGoldens) })
        if let jsonFile { try EvaluationFixtures.write(report.json.prettyText, to: jsonFile) }
        if let junitFile { try EvaluationFixtures.write(report.junit, to: junitFile) }
        if let htmlFile { try EvaluationFixtures.write(report.html, to: htmlFile) }
        return report
    }
}
