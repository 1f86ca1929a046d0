import FoundationEssentials
import HostRuntime

/// The texts that need no model: counted and listed from the sanitised context, in an answer's own shape.
public enum Fallback {
    /// Most lines of a day's schedule.
    static let maximumLines = 3

    public static func output(for context: CapabilityContext) -> CapabilityOutput {
        switch context.capability {
        case .meetingsSummary: .meetings(meetings(context))
        case .morningBrief: .brief(brief(context))
        case .urgentEmailSummary:
            .mail(
                MailVerdict(
                    shouldNotify: false, urgency: .low, summary: "No urgent email was identified.",
                    reason: "deterministic_fallback", actions: ["Review your inbox."]))
        }
    }

    private static func meetings(_ context: CapabilityContext) -> MeetingsText {
        let meetings = context.json["meetings"]?.array ?? []
        let count = context.json["meeting_count"]?.integer ?? meetings.count
        return MeetingsText(
            title: context.heading, summary: summary(count, context.when), keyPoints: lines(meetings, context),
            followUps: count == 0 ? [] : ["Review your calendar before the first meeting."])
    }

    private static func brief(_ context: CapabilityContext) -> BriefText {
        let listed = context.json["meetings_today"]?.array ?? []
        let meetings = context.json["meetings_today_count"]?.integer ?? listed.count
        let mail =
            context.json["urgent_email_candidate_count"]?.integer
            ?? context.json["urgent_email_candidates"]?.array?.count ?? 0
        let summary = summary(meetings, context.when)
        return BriefText(
            headline: "Your day at a glance",
            summary: mail > 0 ? "\(summary) \(emails(mail)) may need attention." : summary,
            priorities: (meetings > 0 ? ["Check your first meeting"] : []) + (mail > 0 ? ["Review recent mail"] : []),
            schedule: lines(listed, context), alerts: mail > 0 ? ["\(emails(mail)) to review"] : [])
    }

    private static func summary(_ count: Int, _ when: String) -> String {
        switch count {
        case 0: "You have no meetings \(when)."
        case 1: "You have 1 meeting \(when)."
        default: "You have \(count) meetings \(when)."
        }
    }

    private static func emails(_ count: Int) -> String { count == 1 ? "1 recent email" : "\(count) recent emails" }

    /// Titles are somebody else's words: like an answer of a model they hold no link.
    private static func lines(_ meetings: [JSONValue], _ context: CapabilityContext) -> [String] {
        meetings.prefix(maximumLines).map { meeting in
            let title = Markup.withoutLinks(meeting["title"]?.string ?? "Untitled meeting")
            return "\(time(of: meeting, context)) - \(title)"
        }
    }

    /// When a meeting begins; when it ends, if it began on a day before; neither, if it lasts all day.
    private static func time(of meeting: JSONValue, _ context: CapabilityContext) -> String {
        guard let start = meeting["start_local"]?.string else { return "All day" }
        let clock = WallClock(timeZone: context.json["time_zone"]?.string ?? "")
        func day(_ name: String) -> String? {
            meeting[name]?.string.flatMap { try? Date($0, strategy: .iso8601) }.map { clock.reading(at: $0).day.text }
        }
        guard let today = (context.json["calendar_day"] ?? context.json["local_date"])?.string,
            let began = day("start_at"), began < today, let ends = day("end_at"), let end = meeting["end_local"]?.string
        else { return start }
        return ends > today ? "All day" : "until \(end)"
    }
}
