public import HostStorage

/// What came of a check of mail.
public struct MailJudgement: Sendable {
    /// Most verdicts of one notification.
    public static let maximumUrgent = 3

    /// What to notify of, the most urgent first; more than one only when mail was judged one by one.
    public let urgent: [MailVerdict]
    /// The first of them, or what is said when nothing is urgent.
    public let verdict: MailVerdict
    public let source: OutputSource
    /// For each message, in order: it need not be shown to a model again.
    public let judged: [Bool]
    /// What is audited of the calls; nil when no model was asked.
    public let audit: AuditModel?

    public init(
        urgent: [MailVerdict], verdict: MailVerdict, source: OutputSource, judged: [Bool], audit: AuditModel?
    ) {
        self.urgent = urgent
        self.verdict = verdict
        self.source = source
        self.judged = judged
        self.audit = audit
    }
}

extension CapabilityRunner {
    /// Judges all messages in one question. When that answer cannot be used, because one of them got hold of the
    /// model, each is judged by itself, so that a hostile message silences no other; every message costs at most one
    /// question more. Those that were not reached, and urgent ones beyond a notification's room, wait for the next run.
    public func judge(_ mail: [MailMaterial], for requester: Requester) async -> MailJudgement {
        let together = await run(.mail(mail), for: requester)
        guard together.source == .fallback, together.isJudged, mail.count > 1 else {
            return MailJudgement(
                urgent: together.verdict.shouldNotify ? [together.verdict] : [], verdict: together.verdict,
                source: together.source, judged: mail.map { _ in together.isJudged }, audit: together.audit)
        }
        var apart: [CapabilityResult] = []
        for message in mail {
            let result = await run(.mail([message]), for: requester)
            guard result.isJudged, !Task.isCancelled else { break }
            apart.append(result)
        }
        return Self.judgement(of: apart, after: together, count: mail.count)
    }

    private static func judgement(
        of apart: [CapabilityResult], after together: CapabilityResult, count: Int
    ) -> MailJudgement {
        let ranked = apart.enumerated().filter { $0.element.verdict.shouldNotify }.sorted { left, right in
            let (first, second) = (left.element.verdict.urgency, right.element.verdict.urgency)
            return first == second ? left.offset < right.offset : second < first
        }
        let told = ranked.prefix(MailJudgement.maximumUrgent)
        var judged = (0..<count).map { $0 < apart.count }
        for late in ranked.dropFirst(MailJudgement.maximumUrgent) { judged[late.offset] = false }
        let accepted = apart.filter { $0.source == .model }
        return MailJudgement(
            urgent: told.map(\.element.verdict),
            verdict: told.first?.element.verdict ?? accepted.first?.verdict ?? together.verdict,
            source: accepted.isEmpty ? .fallback : .model, judged: judged,
            audit: audit(of: apart, after: together, isAccepted: !accepted.isEmpty))
    }

    /// One row for all calls: their sums, the last one's names, and that the first answer was refused.
    private static func audit(
        of apart: [CapabilityResult], after together: CapabilityResult, isAccepted: Bool
    ) -> AuditModel? {
        guard let first = together.audit else { return nil }
        var sum = apart.compactMap(\.audit).reduce(first) { sum, next in sum.adding(next) }
        sum.outcome = isAccepted ? "success" : "failure"
        sum.errorType = first.errorType
        return sum
    }
}

extension CapabilityResult {
    /// The verdict of a check of mail; a silent one for other capabilities.
    var verdict: MailVerdict {
        if case .mail(let verdict) = output { return verdict }
        return MailVerdict(shouldNotify: false, urgency: .low, summary: "", reason: "", actions: [])
    }
}

extension AuditModel {
    /// Both calls in one: sums of what they took, names of the later.
    func adding(_ next: AuditModel) -> AuditModel {
        func sum(_ left: Int?, _ right: Int?) -> Int? { left == nil && right == nil ? nil : (left ?? 0) + (right ?? 0) }
        return AuditModel(
            outcome: next.outcome, model: next.model ?? model, errorType: next.errorType ?? errorType,
            providerRequestID: next.providerRequestID ?? providerRequestID,
            latencyMilliseconds: sum(latencyMilliseconds, next.latencyMilliseconds),
            promptTokens: sum(promptTokens, next.promptTokens),
            completionTokens: sum(completionTokens, next.completionTokens), cost: sum(cost, next.cost),
            isCached: next.isCached ?? isCached, isBudgetRouted: next.isBudgetRouted ?? isBudgetRouted,
            degradation: next.degradation ?? degradation)
    }
}
