import LLMGateway

extension EvaluationReport {
    /// One page that needs nothing else and runs nothing: filters are style sheets, and its policy allows no more.
    public var html: String {
        var out = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>llm-eval: \(results.count - failed) of \(results.count) passed</title>
            <style>\(Self.style)</style></head><body>

            """
        out += header + filters + "<main>\n"
        for result in results { out += card(result) }
        return out + "</main></body></html>\n"
    }

    // MARK: - Head

    private var header: String {
        func tile(_ value: String, _ name: String, _ kind: String = "") -> String {
            "<div class=\"tile \(kind)\"><b>\(Markup.escaped(value))</b><span>\(Markup.escaped(name))</span></div>"
        }
        var tiles = [
            tile("\(results.count)", "cases"), tile("\(results.count - failed)", "passed", "good"),
            tile("\(failed)", "failed", failed > 0 ? "bad" : ""),
        ]
        if let live {
            let (low, high) = (rate.interval.lowerBound, rate.interval.upperBound)
            let share = rate.count > 0 ? Double(rate.passed) / Double(rate.count) : 0
            tiles += [
                tile("\(PassRate.percent(share)) %", "of \(rate.count) runs passed"),
                tile("\(PassRate.percent(low))-\(PassRate.percent(high)) %", "95 % Wilson interval"),
                tile("\(latency(0.5)) / \(latency(0.95)) ms", "latency p50 / p95"), tile("\(tokens)", "tokens"),
                tile(dollars(cost), "of at most \(dollars(live.limit))"),
            ]
        } else {
            let fallbacks = results.count { source(of: $0) == OutputSource.fallback.rawValue }
            tiles.append(tile("\(fallbacks)", "end in the deterministic text"))
        }
        let mode =
            live.map { "live, \($0.models.joined(separator: " then ")) at \($0.host), \($0.repeats) runs per case" }
            ?? "mocked answers, compared with their goldens"
        let told = notes.map { "<p class=\"note\">\(Markup.visible($0))</p>" }.joined()
        return "<header><h1>llm-eval</h1><p>\(Markup.escaped(mode))</p><div class=\"tiles\">\(tiles.joined())</div>"
            + "\(told)</header>\n"
    }

    private var filters: String {
        func group(_ name: String, _ choices: [(id: String, label: String)]) -> String {
            let inputs = choices.enumerated().map { index, choice in
                "<input type=\"radio\" name=\"\(name)\" id=\"\(choice.id)\"\(index == 0 ? " checked" : "")>"
                    + "<label for=\"\(choice.id)\">\(choice.label)</label>"
            }
            return "<fieldset>\(inputs.joined())</fieldset>"
        }
        return "<nav>"
            + group("result", [("any-result", "all"), ("only-fail", "failed"), ("only-pass", "passed")])
            + group(
                "capability",
                [
                    ("any-capability", "all capabilities"), ("only-meetings_summary", "meetings"),
                    ("only-morning_brief", "brief"), ("only-urgent_email_summary", "urgent mail"),
                ])
            + group(
                "source",
                [
                    ("any-source", "any source"), ("only-model_output", "model"),
                    ("only-deterministic_fallback", "fallback"),
                ])
            + "</nav>\n"
    }

    private func source(of result: CaseResult) -> String {
        result.shown?.snapshot["safe_output_source"]?.string ?? "none"
    }

    // MARK: - Cases

    private func card(_ result: CaseResult) -> String {
        let evaluated = result.evaluated
        let (word, source) = (result.passed ? "pass" : "fail", source(of: result))
        let snapshot = result.shown?.snapshot ?? .null
        var out = "<details class=\"case \(word) \(evaluated.capability.rawValue) \(source)\""
        out += result.passed ? ">" : " open>"
        out += "<summary><span class=\"mark\">\(word)</span> <code>\(Markup.escaped(evaluated.id))</code> "
        out += "<span class=\"about\">\(Markup.visible(evaluated.description))</span> "
        out += "<span class=\"tag \(source)\">\(source == "model_output" ? "model" : "fallback")</span>"
        if live != nil { out += "<span class=\"tag\">\(result.passedRuns)/\(result.runs.count)</span>" }
        out += "</summary><div class=\"columns\"><section><h3>What the model is shown</h3>"
        out += ContextView.html(of: snapshot["request"]?["context_payload"] ?? .null)
        out += "</section><section><h3>What the user sees</h3>"
        out += ContextView.answer(snapshot["resolved_contract"]?["output"] ?? .null)
        out += "<h3>Checks</h3>\(checks(result))</section></div>"
        if live != nil { out += runs(result) }
        if !result.difference.isEmpty { out += "<h3>Difference from the golden</h3>\(difference(result.difference))" }
        out += block("Answer of the model", snapshot["model_output"] ?? .null)
        out += block("Input of the case, before it is made harmless", evaluated.payload)
        out += block("Whole snapshot", snapshot)
        return out + "</details>\n"
    }

    private func block(_ title: String, _ value: JSONValue) -> String {
        "<details class=\"raw\"><summary>\(title)</summary><pre>\(Markup.visible(value.prettyText))</pre></details>"
    }

    private func checks(_ result: CaseResult) -> String {
        let failures = result.failures
        let names =
            live == nil
            ? ["schema_validity", "safe_output_source", "quality", "golden_snapshot"]
            : ["provider_request", "schema_validity", "safe_output_source", "quality"]
        let others = Set(failures.map(\.check)).subtracting(names).sorted()
        let rows = (names + others).map { name in
            let found = failures.filter { $0.check == name }.map { Markup.visible($0.message) }
            let mark = found.isEmpty ? "<td class=\"ok\">✓</td>" : "<td class=\"no\">✗</td>"
            return
                "<tr>\(mark)<td><code>\(Markup.escaped(name))</code></td><td>\(found.joined(separator: "<br>"))</td></tr>"
        }
        return "<table class=\"checks\">\(rows.joined())</table>"
    }

    private func runs(_ result: CaseResult) -> String {
        let rows = result.runs.enumerated().map { index, run in
            let model = run.snapshot["provider_model"]?.string ?? "no answer"
            let why = run.failures.map { Markup.visible("\($0.check): \($0.message)") }.joined(separator: "<br>")
            let mark = run.passed ? "<td class=\"ok\">✓</td>" : "<td class=\"no\">✗</td>"
            return "<tr>\(mark)<td>\(index + 1)</td><td>\(Markup.visible(model))</td>"
                + "<td>\(run.call?.latency.milliseconds ?? 0) ms</td><td>\(dollars(run.call?.cost ?? 0))</td><td>\(why)</td></tr>"
        }
        return "<h3>\(Markup.escaped(result.rate.text))</h3><table class=\"runs\">\(rows.joined())</table>"
    }

    private func difference(_ lines: [String]) -> String {
        let marked = lines.map { line in
            let kind = line.hasPrefix("-") ? "gone" : line.hasPrefix("+") ? "new" : "same"
            return "<span class=\"\(kind)\">\(Markup.visible(line))</span>"
        }
        return "<pre class=\"diff\">\(marked.joined(separator: "\n"))</pre>"
    }
}
