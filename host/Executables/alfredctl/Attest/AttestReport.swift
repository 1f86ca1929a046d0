import AttestationVerifier

/// Verdicts on evidence or on a document, for people and as JSON.
struct AttestReport: Encodable {
    /// One check.
    struct Check: Encodable {
        let check: Int
        let title: String
        /// `passed`, `skipped`, `refused` or `not_reached`.
        let verdict: String
        private(set) var reason: String?
        /// What is wrong with a Nitro document by itself.
        private(set) var fault: String?
        private(set) var place: String?
        private(set) var register: Int?
        private(set) var expected: String?
        private(set) var found: String?

        init(_ number: Int, _ title: String, _ verdict: CheckVerdict) {
            check = number
            self.title = title
            switch verdict {
            case .passed: self.verdict = "passed"
            case .notReached: self.verdict = "not_reached"
            case .skipped(let reason):
                self.verdict = "skipped"
                self.reason = reason
            case .refused(let refusal):
                self.verdict = "refused"
                reason = refusal.reason.rawValue
                fault = refusal.nitroFault?.rawValue
                place = refusal.place
                register = refusal.register
                expected = refusal.expected
                found = refusal.found
            }
        }

        /// The lines for people, after `indent` spaces; without detail where the checks below say it.
        func lines(indent: Int, isShort: Bool = false) -> [String] {
            let margin = String(repeating: " ", count: indent)
            let head = "\(margin)\(check) \(mark) \(title)"
            switch verdict {
            case "not_reached": return ["\(head) (not reached)"]
            case "skipped": return ["\(head) (skipped: \(reason ?? ""))"]
            case "refused":
                let what =
                    [reason, fault].compactMap(\.self).joined(separator: ", ") + (place.map { " at \($0)" } ?? "")
                guard !isShort else { return ["\(head): \(what)"] }
                return ["\(head): \(what)"]
                    + [("expected", expected), ("found   ", found)].compactMap { name, value in
                        value.map { "\(margin)      \(name) \($0)" }
                    }
            default: return [head]
            }
        }

        private var mark: String {
            switch verdict {
            case "passed": "✓"
            case "skipped": "–"
            case "refused": "✗"
            default: "·"
            }
        }
    }

    /// `accept`, `authentic` (nothing was asked about the image), `unenforced` (the policy asks for nothing but the
    /// answer to a challenge), `unjudged` (good by the policy that came with the record, which nobody vouches for) or
    /// `refuse`.
    private(set) var verdict: String
    private(set) var identity: String?
    private(set) var reason: String?
    let checks: [Check]
    private(set) var nitro_checks: [Check]?
    /// `aws`, or the SHA-256 of a test root.
    private(set) var root: String?
    private(set) var judged_at: UInt64?
    /// Said where the time came with what is judged, which is then good for ever.
    private(set) var time_note: String?
    private(set) var debug_mode: Bool?
    private(set) var module_id: String?
    private(set) var timestamp: UInt64?
    /// All is well but that nobody said by which policy: an error of usage.
    private(set) var needsPolicy = false

    /// The same, judged by a policy that came with the evidence itself: nothing is accepted.
    func byItsOwnPolicy() -> AttestReport {
        guard isAccepted else { return self }
        var report = self
        report.verdict = "unjudged"
        report.needsPolicy = true
        return report
    }

    private enum CodingKeys: CodingKey {
        case verdict, identity, reason, checks, nitro_checks, root, judged_at, time_note, debug_mode, module_id,
            timestamp
    }

    var isAccepted: Bool { verdict == "accept" }
    var isRefused: Bool { verdict == "refuse" }
    /// The status to end with where it is not accepted.
    var failure: CommandFailure { verdict == "authentic" ? .undecided : .failed() }

    /// The same, judged at the time of `what` itself.
    func atItsOwnTime(of what: String) -> AttestReport {
        var report = self
        report.time_note =
            "judged at the \(what)'s own time \(judged_at.map(String.init) ?? "unknown"): says nothing about the "
            + "present"
        return report
    }

    /// Evidence.
    init(_ report: VerificationReport, root: NitroRoot? = nil, judgedAt: UInt64? = nil) {
        checks = report.checks.map { Check($0.check.rawValue, $0.check.title, $0.verdict) }
        let nitro = report.nitroChecks.map { Check($0.check.rawValue, $0.check.title, $0.verdict) }
        nitro_checks = nitro.isEmpty ? nil : nitro
        switch report.result {
        case .success(let enclave):
            verdict = enclave.identity == VerifiedEnclave.unenforcedIdentity ? "unenforced" : "accept"
            identity = enclave.identity
        case .failure(let refusal):
            verdict = "refuse"
            reason = refusal.reason.rawValue
        }
        if nitro_checks != nil { self.root = root.map(Self.describe) }
        judged_at = judgedAt
    }

    /// A document that stands alone.
    init(_ report: NitroReport, root: NitroRoot, time: NitroTime, lacksPolicy: Bool) {
        checks = report.checks.map { Check($0.check.rawValue, $0.check.title, $0.verdict) }
        switch report.outcome {
        case .accepted(let identity):
            verdict = "accept"
            self.identity = identity
        case .authentic: verdict = "authentic"
        case .refused(let refusal):
            verdict = "refuse"
            reason = refusal.reason.rawValue
        }
        self.root = Self.describe(root)
        if case .at(let now) = time { judged_at = now } else { judged_at = report.document?.timestamp }
        debug_mode = report.document.map { $0.debugRegister != nil }
        module_id = report.document?.moduleID
        timestamp = report.document?.timestamp
        needsPolicy = lacksPolicy && reason == AttestationReason.measurementNotAllowed.rawValue
    }

    /// One line per check, and the verdict.
    var lines: [String] {
        var lines = module_id.map { ["document of \(visible($0)), time \(timestamp ?? 0)"] } ?? []
        if let root { lines.append("root \(root), judged at \(judged_at ?? 0)") }
        for check in checks {
            let hasOwn = check.check == VerificationCheck.nitroDocument.rawValue && nitro_checks != nil
            lines += check.lines(indent: 2, isShort: hasOwn)
            if hasOwn { lines += nitro_checks?.flatMap { $0.lines(indent: 8) } ?? [] }
        }
        if debug_mode == true { lines.append("DEBUG MODE: PCR0, PCR1 or PCR2 is zero; any image may be running") }
        if let time_note { lines.append(time_note) }
        return lines + [conclusion]
    }

    /// The options that say what to expect.
    var waysToSay: String {
        verdict == "unjudged"
            ? "--policy FILE, or --trust-recorded-policy for a record that you made yourself"
            : "--measurement or --policy, or --authenticity-only"
    }

    private var conclusion: String {
        switch verdict {
        case "accept": "accepted as \(visible(identity ?? ""))"
        case "authentic": "authentic; nothing was asked about the image, so nothing is accepted"
        case "unenforced": "not accepted: the policy enforces nothing, so anybody may have made this evidence"
        case "unjudged": "not accepted: good by the policy that came with it, which proves nothing"
        default: "refused: \(reason ?? "")"
        }
    }

    private static func describe(_ root: NitroRoot) -> String {
        root.isAWS
            ? "aws" : "TEST ROOT " + root.fingerprint.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
