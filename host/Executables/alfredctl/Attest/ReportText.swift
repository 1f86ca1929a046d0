import AttestationVerifier

/// A verification report for people and as JSON.
struct ReportText {
    /// One check in JSON.
    struct Check: Encodable {
        let check: Int
        let title: String
        /// `passed`, `skipped`, `refused` or `not_reached`.
        let verdict: String
        var reason: String?
        var expected: String?
        var found: String?
    }

    let report: VerificationReport

    var isAccepted: Bool { (try? report.result.get()) != nil }

    var identity: String? { try? report.result.get().identity }

    var reason: String? {
        guard case .failure(let refusal) = report.result else { return nil }
        return refusal.reason.rawValue
    }

    var checks: [Check] {
        report.checks.map { entry in
            var check = Check(check: entry.check.rawValue, title: entry.check.title, verdict: entry.verdict.name)
            switch entry.verdict {
            case .passed, .notReached: break
            case .skipped(let reason): check.reason = reason
            case .refused(let refusal):
                check.reason = refusal.reason.rawValue
                check.expected = refusal.expected
                check.found = refusal.found
            }
            return check
        }
    }

    /// One line per check, and the verdict.
    var lines: [String] {
        report.checks.map { "  \($0.check.rawValue) \($0.verdict.mark) \($0.check.title)\($0.verdict.remark)" }
            + [identity.map { "accepted as \($0)" } ?? "refused: \(reason ?? "")"]
    }
}

extension CheckVerdict {
    fileprivate var name: String {
        switch self {
        case .passed: "passed"
        case .skipped: "skipped"
        case .refused: "refused"
        case .notReached: "not_reached"
        }
    }

    fileprivate var mark: String {
        switch self {
        case .passed: "✓"
        case .skipped: "–"
        case .refused: "✗"
        case .notReached: "·"
        }
    }

    fileprivate var remark: String {
        switch self {
        case .passed: return ""
        case .notReached: return " (not reached)"
        case .skipped(let reason): return " (skipped: \(reason))"
        case .refused(let refusal):
            let expected = refusal.expected.map { "\n        expected \($0)" } ?? ""
            let found = refusal.found.map { "\n        found    \($0)" } ?? ""
            return ": \(refusal.reason.rawValue)\(expected)\(found)"
        }
    }
}
