public import FoundationEssentials

/// A meeting as it was read.
public struct MeetingMaterial: Sendable, Hashable {
    /// The provider's id, or empty.
    public var id: String
    public var title: UntrustedText
    /// Nil for an all-day event.
    public var start: Date?
    public var end: Date?
    public var attendeeCount: Int

    public init(id: String, title: String, start: Date?, end: Date?, attendeeCount: Int = 0) {
        self.id = id
        self.title = UntrustedText(title, from: .calendar)
        self.start = start
        self.end = end
        self.attendeeCount = attendeeCount
    }
}

/// A message as it was read.
public struct MailMaterial: Sendable, Hashable {
    /// The provider's id, or empty.
    public var id: String
    public var from: UntrustedText
    public var subject: UntrustedText
    public var snippet: UntrustedText
    public var receivedAt: Date?
    public var labels: [UntrustedText]
    public var hasAttachments: Bool

    public init(
        id: String, from: String, subject: String, snippet: String, receivedAt: Date?, labels: [String],
        hasAttachments: Bool
    ) {
        self.id = id
        self.from = UntrustedText(from, from: .mail)
        self.subject = UntrustedText(subject, from: .mail)
        self.snippet = UntrustedText(snippet, from: .mail)
        self.receivedAt = receivedAt
        self.labels = labels.map { UntrustedText($0, from: .mail) }
        self.hasAttachments = hasAttachments
    }
}

/// One turn of a conversation, as a later question may refer to it.
public struct ConversationTurn: Sendable, Hashable {
    public var query: String
    public var answer: String
    public var capability: String
    /// `YYYY-MM-DD`.
    public var day: String

    public init(query: String, answer: String, capability: String, day: String) {
        self.query = query
        self.answer = answer
        self.capability = capability
        self.day = day
    }
}
