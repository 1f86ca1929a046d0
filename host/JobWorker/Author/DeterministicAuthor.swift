/// Fixed words around what was read, without any model.
public struct DeterministicAuthor: NotificationAuthor {
    /// Most lines of the day's schedule.
    static let maximumLines = 3

    public init() {}

    public func brief(_ context: BriefContext) async -> Authored<BriefText> {
        let (meetings, mail) = (context.meetings.count, context.mail.count)
        let summary =
            switch meetings {
            case 0: "You have no meetings today."
            case 1: "You have 1 meeting today."
            default: "You have \(meetings) meetings today."
            }
        let text = BriefText(
            headline: "Your day at a glance",
            summary: mail > 0 ? "\(summary) \(mail) recent emails may need attention." : summary,
            priorities: (meetings > 0 ? ["Check your first meeting"] : []) + (mail > 0 ? ["Review recent mail"] : []),
            schedule: context.meetings.prefix(Self.maximumLines).map { "\($0.startLocal ?? "All day") - \($0.title)" },
            alerts: mail > 0 ? ["\(mail) recent emails to review"] : [])
        return Authored(text, source: .fallback, isJudged: false)
    }

    public func verdict(_ context: MailCheckContext) async -> Authored<MailVerdict> {
        let text = MailVerdict(
            shouldNotify: false, urgency: .low, summary: "No urgent email was identified.",
            reason: "deterministic_fallback", actions: ["Review your inbox."])
        return Authored(text, source: .fallback, isJudged: false)
    }
}
