public import FoundationEssentials

/// A meeting as the author of a brief sees it.
public struct MeetingContext: Sendable, Equatable {
    public let eventID: String
    public let title: String
    /// Nil for an all-day event.
    public let start: Date?
    public let end: Date?
    /// `HH:MM` in the user's zone; nil for an all-day event.
    public let startLocal: String?
}

/// A message as the judge of mail sees it; every text is somebody else's.
public struct MailContext: Sendable, Equatable {
    public let messageID: String
    public let from: String
    public let subject: String
    public let snippet: String
    public let receivedAt: Date?
    public let labels: [String]
    public let hasAttachments: Bool
}

/// What a brief is made of.
public struct BriefContext: Sendable {
    public let user: UUID
    /// `YYYY-MM-DD`
    public let localDate: String
    public let timeZone: String
    /// `HH:MM`
    public let localTime: String
    /// All-day ones first, then by start.
    public let meetings: [MeetingContext]
    public let mail: [MailContext]
    public let requestID: String
    public let traceparent: String?
}

/// What mail is judged by.
public struct MailCheckContext: Sendable {
    public let user: UUID
    public let timeZone: String
    /// Newest first.
    public let candidates: [MailContext]
    public let requestID: String
    public let traceparent: String?
}

public struct BriefText: Sendable, Equatable {
    public var headline: String
    public var summary: String
    public var priorities: [String]
    public var schedule: [String]
    public var alerts: [String]

    public init(headline: String, summary: String, priorities: [String], schedule: [String], alerts: [String]) {
        self.headline = headline
        self.summary = summary
        self.priorities = priorities
        self.schedule = schedule
        self.alerts = alerts
    }
}

public struct MailVerdict: Sendable, Equatable {
    public enum Urgency: String, Sendable { case low, medium, high, critical }

    public var shouldNotify: Bool
    public var urgency: Urgency
    public var summary: String
    public var reason: String
    public var actions: [String]

    public init(shouldNotify: Bool, urgency: Urgency, summary: String, reason: String, actions: [String]) {
        self.shouldNotify = shouldNotify
        self.urgency = urgency
        self.summary = summary
        self.reason = reason
        self.actions = actions
    }
}

/// A text and where it comes from.
public struct Authored<Text: Sendable>: Sendable {
    public enum Source: String, Sendable {
        case model = "model_output"
        case fallback = "deterministic_fallback"
    }

    public let text: Text
    public let source: Source
    /// A model has seen the material, whether or not its output could be used: it need not be shown to one again.
    public let isJudged: Bool

    public init(_ text: Text, source: Source, isJudged: Bool) {
        self.text = text
        self.source = source
        self.isJudged = isJudged
    }
}

/// Writes briefs and judges mail; never fails, because there are always the deterministic texts.
public protocol NotificationAuthor: Sendable {
    func brief(_ context: BriefContext) async -> Authored<BriefText>
    func verdict(_ context: MailCheckContext) async -> Authored<MailVerdict>
}
