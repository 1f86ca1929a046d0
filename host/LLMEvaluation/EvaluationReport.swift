public import LLMGateway

/// The results of a run, for people and machines.
public struct EvaluationReport: Sendable {
    public let results: [CaseResult]

    public init(_ results: [CaseResult]) { self.results = results }

    public var failed: Int { results.count { !$0.passed } }

    /// One line per case, what failed indented below it, and the totals.
    public var text: String {
        var lines: [String] = []
        for result in results {
            lines.append("\(result.passed ? "PASS" : "FAIL") \(result.evaluated.id)")
            lines += result.failures.map { "  \($0.check): \($0.message)" }
            lines += result.difference.map { "    \($0)" }
        }
        lines.append("\(results.count) cases: \(results.count - failed) passed, \(failed) failed")
        return lines.joined(separator: "\n") + "\n"
    }

    public var json: JSONValue {
        .object([
            "total": .integer(results.count), "failed": .integer(failed),
            "cases": .array(
                results.map { result in
                    .object([
                        "case_id": .string(result.evaluated.id), "passed": .bool(result.passed),
                        "failures": .array(
                            result.failures.map {
                                .object(["check": .string($0.check), "message": .string($0.message)])
                            }), "difference": .array(result.difference.map(JSONValue.string)),
                        "snapshot": result.snapshot,
                    ])
                }),
        ])
    }

    public var junit: String {
        var out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        out += "<testsuite name=\"llm-eval\" tests=\"\(results.count)\" failures=\"\(failed)\">\n"
        for result in results {
            let name = Self.escaped(result.evaluated.id)
            out += "  <testcase classname=\"\(result.evaluated.capability.rawValue)\" name=\"\(name)\">\n"
            for failure in result.failures {
                let more = failure.check == "golden_snapshot" ? result.difference.joined(separator: "\n") : ""
                out += "    <failure type=\"\(failure.check)\" message=\"\(Self.escaped(failure.message))\">"
                out += "\(Self.escaped(more))</failure>\n"
            }
            out += "  </testcase>\n"
        }
        return out + "</testsuite>\n"
    }

    /// One page that needs nothing else.
    public var html: String {
        var out = """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>llm-eval</title><style>
            body{font:14px system-ui;margin:2em;max-width:70em}pre{background:#f4f4f4;padding:1em;overflow:auto;\
            white-space:pre-wrap}.pass{color:#176b2c}.fail{color:#b00020}</style>
            <h1>llm-eval</h1><p>\(results.count) cases, \(failed) failed</p>

            """
        for result in results {
            let word = result.passed ? "pass" : "fail"
            func block(_ title: String, _ text: String) {
                out += "<h3>\(title)</h3><pre>\(Self.escaped(text))</pre>"
            }
            out += "<details\(result.passed ? "" : " open")><summary class=\"\(word)\">\(word.uppercased()) "
            out += "\(Self.escaped(result.evaluated.id)) - \(Self.escaped(result.evaluated.description))</summary>"
            block("Input", (result.snapshot["request"]?["context_payload"] ?? .null).prettyText)
            block("Model output", (result.snapshot["model_output"] ?? .null).prettyText)
            block(
                "Shown (\(result.snapshot["safe_output_source"]?.string ?? "nothing"))",
                (result.snapshot["resolved_contract"] ?? .null).prettyText)
            let failures = result.failures.map { "\($0.check): \($0.message)" }
            block("Checks", failures.isEmpty ? "all passed" : failures.joined(separator: "\n"))
            if !result.difference.isEmpty { block("Difference", result.difference.joined(separator: "\n")) }
            out += "</details>\n"
        }
        return out + "</html>\n"
    }

    /// For XML and HTML; characters that XML does not allow become U+FFFD.
    static func escaped(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;".unicodeScalars
            case "<": out += "&lt;".unicodeScalars
            case ">": out += "&gt;".unicodeScalars
            case "\"": out += "&quot;".unicodeScalars
            case "\n", "\t": out.append(scalar)
            case _ where scalar.value < 0x20 || (0xfffe...0xffff).contains(scalar.value): out.append("\u{fffd}")
            default: out.append(scalar)
            }
        }
        return String(out)
    }
}
