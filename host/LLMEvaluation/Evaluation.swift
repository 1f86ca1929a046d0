import LLMGateway

/// Judges an answer as the product does.
public enum Evaluation {
    /// The case with its mocked answer, against its golden; with `updating` the golden is written instead.
    public static func mocked(_ evaluated: EvaluationCase, goldens: String, updating: Bool) -> CaseResult {
        CaseResult(evaluated: evaluated, runs: [mockedRun(evaluated, goldens, updating)])
    }

    private static func mockedRun(_ evaluated: EvaluationCase, _ goldens: String, _ updating: Bool) -> CaseRun {
        guard let answer = evaluated.mockedAnswer else {
            return CaseRun(
                snapshot: .null, failures: [.init(check: "mocked_model_output", message: "the case has none")])
        }
        var result = judge(answer, evaluated, expecting: evaluated.expectedSource)
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
    static func judge(
        _ answer: String, _ evaluated: EvaluationCase, expecting expectedSource: OutputSource?,
        model: String = "mocked"
    ) -> CaseRun {
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
        var failures: [CaseRun.Failure] = []
        if (schemaError == nil) != evaluated.expectsValidSchema {
            failures.append(.init(check: "schema_validity", message: schemaError ?? "valid, which was not expected"))
        }
        if let expected = expectedSource, expected != source {
            let why = rules.isEmpty || schemaError != nil ? "" : " (\(rules.joined(separator: "; ")))"
            failures.append(
                .init(
                    check: "safe_output_source",
                    message: "expected \(expected.rawValue), was \(source.rawValue)\(why)"))
        }
        failures += issues.map { .init(check: "quality", message: $0) }
        return CaseRun(
            snapshot: .object(
                request(evaluated, context).merging([
                    "provider_model": .string(model), "provider_error": .null,
                    "model_output": JSONValue(parsing: answer) ?? .string(answer),
                    "schema_valid": .bool(schemaError == nil),
                    "schema_error": schemaError.map(JSONValue.string) ?? .null,
                    "safe_output_source": .string(source.rawValue), "resolved_contract": output.json,
                    "quality_issues": .array(issues.map(JSONValue.string)),
                ]) { _, new in new }), failures: failures)
    }

    /// A call that brought no answer: the product shows the deterministic text.
    static func unanswered(_ evaluated: EvaluationCase, _ error: LLMError) -> CaseRun {
        let context = CapabilityContext(evaluated.capability, json: evaluated.payload)
        let words = error.detail == error.name ? error.name : "\(error.name) \(error.detail)"
        return CaseRun(
            snapshot: .object(
                request(evaluated, context).merging([
                    "provider_model": .null, "provider_error": .string(words), "model_output": .null,
                    "schema_valid": .bool(false), "schema_error": .null,
                    "safe_output_source": .string(OutputSource.fallback.rawValue),
                    "resolved_contract": Fallback.output(for: context).json, "quality_issues": .array([]),
                ]) { _, new in new }), failures: [.init(check: "provider_request", message: words)])
    }

    private static func request(_ evaluated: EvaluationCase, _ context: CapabilityContext) -> [String: JSONValue] {
        let prompt = Prompt(context)
        return [
            "case_id": .string(evaluated.id), "description": .string(evaluated.description),
            "capability": .string(evaluated.capability.rawValue),
            "request": .object([
                "requester_id": .string("llm-eval-\(evaluated.id)"),
                "capability": .string(evaluated.capability.rawValue),
                "contract_version": .string(Capability.contractVersion), "system_prompt": .string(prompt.system),
                "context_prompt": .string(prompt.context), "output_schema": evaluated.capability.schema,
                "context_payload": context.json,
            ]),
        ]
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
