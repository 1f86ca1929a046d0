public import LLMGateway

/// The results of a run, for people and machines.
public struct EvaluationReport: Sendable {
    /// What real models were asked with.
    public struct Live: Sendable, Equatable {
        public var models: [String]
        /// Of the provider's URL.
        public var host: String
        public var repeats: Int
        /// Micro-dollars.
        public var limit: Int
        public var leastPassRate: Double
    }

    public let results: [CaseResult]
    /// Nil when answers were mocked.
    public var live: Live?
    public var notes: [String] = []

    public init(_ results: [CaseResult]) { self.results = results }

    public var failed: Int { results.count { !$0.passed } }

    var runs: [CaseRun] { results.flatMap(\.runs) }
    var calls: [CaseRun.Call] { runs.compactMap(\.call) }
    var cost: Int { calls.reduce(0) { $0 + $1.cost } }
    var tokens: Int { calls.reduce(0) { $0 + Int($1.usage.input) + Int($1.usage.output) } }
    var rate: PassRate { PassRate(passed: runs.count { $0.passed }, of: runs.count) }

    /// The latency that this share of calls does not pass, in milliseconds; nearest rank.
    func latency(_ share: Double) -> Int {
        let sorted = calls.map(\.latency).sorted()
        guard !sorted.isEmpty else { return 0 }
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[min(max(rank, 1), sorted.count) - 1].milliseconds
    }

    /// One line per case, what failed indented below it, and the totals.
    public var text: String {
        var lines: [String] = []
        for result in results {
            lines.append("\(result.passed ? "PASS" : "FAIL") \(result.evaluated.id)")
            if live != nil { lines.append("  \(Self.summary(of: result))") }
            lines += result.failures.map { "  \($0.check): \($0.message)" }
            lines += result.difference.map { "    \($0)" }
        }
        lines += notes.map { "note: \($0)" }
        lines.append(totals)
        return lines.joined(separator: "\n") + "\n"
    }

    private static func summary(of result: CaseResult) -> String {
        let cost = result.runs.compactMap(\.call).reduce(0) { $0 + $1.cost }
        return "\(result.rate.text), \(dollars(cost))"
    }

    var totals: String {
        let counts = "\(results.count) cases: \(results.count - failed) passed, \(failed) failed"
        guard let live else { return counts }
        return "\(counts); \(rate.text); latency p50 \(latency(0.5)) ms, p95 \(latency(0.95)) ms; \(tokens) tokens; "
            + "\(dollars(cost)) of at most \(dollars(live.limit))"
    }

    public var json: JSONValue {
        var fields: [String: JSONValue] = [
            "total": .integer(results.count), "failed": .integer(failed),
            "mode": .string(live == nil ? "mocked" : "live"),
            "notes": .array(notes.map(JSONValue.string)), "cases": .array(results.map(json)),
        ]
        if let live {
            fields["live"] = .object([
                "models": .array(live.models.map(JSONValue.string)), "host": .string(live.host),
                "repeats": .integer(live.repeats), "least_pass_rate": .decimal(live.leastPassRate),
                "pass_rate": Self.json(rate), "latency_ms_p50": .integer(latency(0.5)),
                "latency_ms_p95": .integer(latency(0.95)), "tokens": .integer(tokens),
                "cost_micro_usd": .integer(cost), "limit_micro_usd": .integer(live.limit),
            ])
        }
        return .object(fields)
    }

    private func json(_ result: CaseResult) -> JSONValue {
        var fields: [String: JSONValue] = [
            "case_id": .string(result.evaluated.id), "passed": .bool(result.passed),
            "failures": Self.json(result.failures), "difference": .array(result.difference.map(JSONValue.string)),
            "snapshot": result.shown?.snapshot ?? .null,
        ]
        if live != nil {
            fields["pass_rate"] = Self.json(result.rate)
            fields["runs"] = .array(result.runs.map(Self.json))
        }
        return .object(fields)
    }

    private static func json(_ run: CaseRun) -> JSONValue {
        .object([
            "passed": .bool(run.passed), "failures": json(run.failures),
            "model": run.snapshot["provider_model"] ?? .null, "model_output": run.snapshot["model_output"] ?? .null,
            "latency_ms": .integer(run.call?.latency.milliseconds ?? 0), "tries": .integer(run.call?.tries ?? 0),
            "cost_micro_usd": .integer(run.call?.cost ?? 0), "input_tokens": .integer(Int(run.call?.usage.input ?? 0)),
            "output_tokens": .integer(Int(run.call?.usage.output ?? 0)),
        ])
    }

    private static func json(_ failures: [CaseRun.Failure]) -> JSONValue {
        .array(failures.map { .object(["check": .string($0.check), "message": .string($0.message)]) })
    }

    private static func json(_ rate: PassRate) -> JSONValue {
        .object([
            "passed": .integer(rate.passed), "runs": .integer(rate.count),
            "wilson_95_low": .decimal(rate.interval.lowerBound), "wilson_95_high": .decimal(rate.interval.upperBound),
        ])
    }

    /// One `testcase` for a case, whose `failure`s are the checks that failed.
    public var junit: String {
        func seconds(_ calls: [CaseRun.Call]) -> String {
            let total = calls.reduce(0) { $0 + $1.latency.milliseconds }
            let digits = String(total % 1000)
            return "\(total / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
        }
        var out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        out += "<testsuite name=\"llm-eval\" tests=\"\(results.count)\" failures=\"\(failed)\" errors=\"0\" "
        out += "skipped=\"0\" time=\"\(seconds(calls))\">\n"
        for result in results {
            let name = Markup.escaped(result.evaluated.id)
            out += "  <testcase classname=\"llm-eval.\(result.evaluated.capability.rawValue)\" name=\"\(name)\" "
            out += "time=\"\(seconds(result.runs.compactMap(\.call)))\">\n"
            if !result.passed {
                // One element: what reads JUnit counts cases, not checks.
                let failures = result.failures.map { "\($0.check): \($0.message)" }
                let more = (failures + result.difference).joined(separator: "\n")
                let check = Markup.escaped(result.failures.first?.check ?? "pass_rate")
                out += "    <failure type=\"\(check)\" message=\"\(Markup.escaped(failures.first ?? "no run"))\">"
                out += "\(Markup.escaped(more))</failure>\n"
            }
            if live != nil { out += "    <system-out>\(Markup.escaped(Self.summary(of: result)))</system-out>\n" }
            out += "  </testcase>\n"
        }
        return out + "</testsuite>\n"
    }
}

/// Text in XML and HTML.
enum Markup {
    /// Characters that XML does not allow become U+FFFD.
    static func escaped(_ text: String) -> String { String(escaped(text, showingHidden: false)) }

    /// The same with every character that nobody sees, or that turns others round, as its number.
    static func visible(_ text: String) -> String { String(escaped(text, showingHidden: true)) }

    private static func escaped(_ text: String, showingHidden: Bool) -> String.UnicodeScalarView {
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;".unicodeScalars
            case "<": out += "&lt;".unicodeScalars
            case ">": out += "&gt;".unicodeScalars
            case "\"": out += "&quot;".unicodeScalars
            case "'": out += "&#39;".unicodeScalars
            case "\n", "\t": out.append(scalar)
            case _ where scalar.value < 0x20 || (0xfffe...0xffff).contains(scalar.value): out.append("\u{fffd}")
            case _ where showingHidden && isHidden(scalar):
                out += "<i class=\"u\">U+\(String(scalar.value, radix: 16, uppercase: true))</i>".unicodeScalars
            default: out.append(scalar)
            }
        }
        return out
    }

    private static func isHidden(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .format, .control, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: true
        default: scalar.properties.isDefaultIgnorableCodePoint && !("\u{fe0e}"..."\u{fe0f}").contains(scalar)
        }
    }
}
