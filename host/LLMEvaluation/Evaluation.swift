public import LLMGateway

/// What came of one case.
public struct CaseResult: Sendable {
    public struct Failure: Sendable, Equatable {
        /// The check's name.
        public let check: String
        public let message: String
    }

    public let evaluated: EvaluationCase
    public let snapshot: JSONValue
    public internal(set) var failures: [Failure]
    /// Of the golden, line by line; empty when it is the same.
    public internal(set) var difference: [String] = []

    public var passed: Bool { failures.isEmpty }
}

/// Judges an answer as the product does.
public enum Evaluation {
    /// The case with its mocked answer, against its golden; with `updating` the golden is written instead.
    public static func mocked(_ evaluated: EvaluationCase, goldens: String, updating: Bool) -> CaseResult {
        guard let answer = evaluated.mockedAnswer else {
            return CaseResult(
                evaluated: evaluated, snapshot: .null,
                failures: [.init(check: "mocked_model_output", message: "the case has none")])
        }
        var result = judge(answer, evaluated)
        let path = "\(goldens)/\(evaluated.id).golden.json"
        if updating {
            do throws(EvaluationError) {
                try EvaluationFixtures.write(result.snapshot.prettyText, to: path)
            } catch {
                result.failures.append(.init(check: "golden_update", message: error.text))
            }
            return result
        }
        guard let golden = EvaluationFixtures.text(of: path).flatMap(JSONValue.init(parsing:)) else {
            result.failures.append(.init(check: "golden_snapshot", message: "missing or no JSON: \(path)"))
            return result
        }
        if golden != result.snapshot {
            result.difference = LineDifference.lines(from: golden.prettyText, to: result.snapshot.prettyText)
            result.failures.append(.init(check: "golden_snapshot", message: "differs (- golden, + now)"))
        }
        return result
    }

    /// All checks but the golden's.
    static func judge(_ answer: String, _ evaluated: EvaluationCase) -> CaseResult {
        let context = CapabilityContext(evaluated.capability, json: evaluated.payload)
        var schemaError: String?
        do throws(ContractFailure) {
            _ = try CapabilityOutput(reading: answer, of: evaluated.capability)
        } catch {
            schemaError = ([error.name] + error.rules).joined(separator: "; ")
        }
        let source: OutputSource
        let output: CapabilityOutput
        let rules: [String]
        switch evaluated.capability.judge(answer) {
        case .success(let accepted): (source, output, rules) = (.model, accepted, [])
        case .failure(let rejection):
            (source, output, rules) = (.fallback, Fallback.output(for: context), rejection.rules)
        }
        let issues = quality(of: output, evaluated.minimums)
        var failures: [CaseResult.Failure] = []
        if (schemaError == nil) != evaluated.expectsValidSchema {
            failures.append(.init(check: "schema_validity", message: schemaError ?? "valid, which was not expected"))
        }
        if let expected = evaluated.expectedSource, expected != source {
            let why = rules.isEmpty ? "" : " (\(rules.joined(separator: "; ")))"
            failures.append(
                .init(
                    check: "safe_output_source",
                    message: "expected \(expected.rawValue), was \(source.rawValue)\(why)"))
        }
        failures += issues.map { .init(check: "quality", message: $0) }
        let snapshot = snapshot(evaluated, context, answer, schemaError, source, output, issues)
        return CaseResult(evaluated: evaluated, snapshot: snapshot, failures: failures)
    }

    private static func snapshot(
        _ evaluated: EvaluationCase, _ context: CapabilityContext, _ answer: String, _ schemaError: String?,
        _ source: OutputSource, _ output: CapabilityOutput, _ issues: [String]
    ) -> JSONValue {
        let prompt = Prompt(context)
        return .object([
            "case_id": .string(evaluated.id), "description": .string(evaluated.description),
            "capability": .string(evaluated.capability.rawValue),
            "request": .object([
                "requester_id": .string("llm-eval-\(evaluated.id)"),
                "capability": .string(evaluated.capability.rawValue),
                "contract_version": .string(Capability.contractVersion), "system_prompt": .string(prompt.system),
                "context_prompt": .string(prompt.context), "output_schema": evaluated.capability.schema,
                "context_payload": context.json,
            ]),
            "provider_model": .string("mocked"), "provider_error": .null,
            "model_output": JSONValue(parsing: answer) ?? .string(answer), "schema_valid": .bool(schemaError == nil),
            "schema_error": schemaError.map(JSONValue.string) ?? .null,
            "safe_output_source": .string(source.rawValue), "resolved_contract": output.json,
            "quality_issues": .array(issues.map(JSONValue.string)),
        ])
    }

    /// What is wrong with a text that would be shown: blank strings, short lists, an alert without cause.
    static func quality(of output: CapabilityOutput, _ minimums: [String: Int]) -> [String] {
        guard case .object(let fields) = output.json["output"] else { return [] }
        var issues: [String] = []
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            if let text = value.string, text.allSatisfy(\.isWhitespace) { issues.append("\(name) is blank") }
            guard let items = value.array else { continue }
            for (index, item) in items.enumerated() where (item.string ?? "").allSatisfy(\.isWhitespace) {
                issues.append("\(name)[\(index)] is blank")
            }
            if let least = minimums[name], items.count < least {
                issues.append("\(name) has \(items.count) items, fewer than \(least)")
            }
        }
        for name in minimums.keys.sorted() where fields[name] == nil {
            issues.append("\(name) is no list of this capability")
        }
        if case .mail(let verdict) = output, verdict.shouldNotify, verdict.urgency < .high || verdict.actions.isEmpty {
            issues.append("notifies without urgency or action")
        }
        return issues
    }
}

/// The difference of two texts by lines.
enum LineDifference {
    /// Lines that went begin with `-`, new ones with `+`, each with the line's number in its text.
    static func lines(from old: String, to new: String) -> [String] {
        func split(_ text: String) -> [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        return split(new).difference(from: split(old)).map { change in
            switch change {
            case .remove(let offset, let line, _): (offset, 0, "- \(offset + 1): \(line)")
            case .insert(let offset, let line, _): (offset, 1, "+ \(offset + 1): \(line)")
            }
        }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
    }
}
