public import HostRuntime
import LLMGateway

/// One run of the harness with its reports.
public struct EvaluationCommand: Sendable {
    /// How a real model is asked.
    public struct Live: Sendable {
        public var environment: LoadedEnvironment
        public var repeats = 1
        /// Micro-dollars.
        public var limit = 500_000
        /// Share of a case's runs that must pass.
        public var leastPassRate = 1.0
        public var sink = LogSink.standardError()

        public init(_ environment: LoadedEnvironment) { self.environment = environment }
    }

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
        let chosen = try chosen()
        var report = EvaluationReport(chosen.map { Evaluation.mocked($0, goldens: goldens, updating: updatesGoldens) })
        if only.isEmpty {
            report.notes = EvaluationFixtures.strayGoldens(in: goldens, of: chosen).map {
                "golden without a case: \($0)"
            }
        }
        try write(report)
        return report
    }

    /// The cases that are meant for it, asked of a real model; reports are written.
    public func run(_ live: Live) async throws(EvaluationError) -> EvaluationReport {
        let chosen = try chosen().filter(\.isLive)
        guard !chosen.isEmpty else { throw .noLiveCase }
        let (gateway, configuration, notes) = try Self.gateway(live)
        let evaluation = LiveEvaluation(gateway, repeats: live.repeats, leastPassRate: live.leastPassRate) {
            gateway.spent
        }
        let results = await evaluation.run(chosen)
        try? await gateway.shutdown()
        var report = EvaluationReport(results)
        report.live = EvaluationReport.Live(
            models: configuration.models, host: configuration.completionsURL.host, repeats: live.repeats,
            limit: live.limit, leastPassRate: live.leastPassRate)
        report.notes = notes
        try write(report)
        return report
    }

    private static func gateway(
        _ live: Live
    ) throws(EvaluationError) -> (LLMGateway, LLMConfiguration, notes: [String]) {
        let configuration: EvaluationConfiguration
        do throws(ConfigurationError) {
            configuration = try EvaluationConfiguration(live.environment)
        } catch {
            throw .configuration(error.description)
        }
        do throws(PriceTable.Failure) {
            let gateway = try LLMGateway(
                alone: configuration.llm, limit: live.limit, rootsFile: configuration.general.egressCAFile,
                log: HostLog(process: .evaluation, general: configuration.general, sink: live.sink),
                metrics: MetricsRegistry())
            let notes =
                configuration.unknownVariables.map { "unknown variable: \($0)" }
                + gateway.modelsWithoutPrice.map { "no price of its own in the table: \($0)" }
            return (gateway, configuration.llm, notes)
        } catch {
            throw .configuration("LLM_PRICE_TABLE_PATH: \(error == .unreadable ? "cannot be read" : "malformed")")
        }
    }

    private func chosen() throws(EvaluationError) -> [EvaluationCase] {
        let all = try EvaluationFixtures.cases(in: cases)
        guard !only.isEmpty else { return all }
        if let id = only.first(where: { id in !all.contains { $0.id == id } }) { throw .unreadable("no case \(id)") }
        return all.filter { only.contains($0.id) }
    }

    private func write(_ report: EvaluationReport) throws(EvaluationError) {
        if let jsonFile { try EvaluationFixtures.write(report.json.prettyText, to: jsonFile) }
        if let junitFile { try EvaluationFixtures.write(report.junit, to: junitFile) }
        if let htmlFile { try EvaluationFixtures.write(report.html, to: htmlFile) }
    }
}
