public import FoundationEssentials
public import HostRuntime
public import HostStorage
public import LLMGateway

/// What a brief is made of.
public struct BriefContext: Sendable {
    public let user: UUID
    public let day: LocalDay
    public let clock: WallClock
    public let timeZone: String
    /// `HH:MM`
    public let localTime: String
    public let meetings: [MeetingMaterial]
    public let mail: [MailMaterial]
    public let requestID: String
    public let traceparent: String?
}

/// What mail is judged by.
public struct MailCheckContext: Sendable {
    public let user: UUID
    /// Newest first.
    public let candidates: [MailMaterial]
    public let requestID: String
    public let traceparent: String?
}

/// A text and where it comes from.
public struct Authored<Text: Sendable>: Sendable {
    public let text: Text
    public let source: OutputSource
    /// What is audited of the model's call; nil when none was asked.
    public let model: AuditModel?

    public init(_ text: Text, source: OutputSource, model: AuditModel? = nil) {
        self.text = text
        self.source = source
        self.model = model
    }

    /// Who wrote it, for the audit.
    var author: AuditAuthor { AuditAuthor(source: source.rawValue, model: model) }
}

/// Writes briefs and judges mail; never fails, because there are always the deterministic texts.
public protocol NotificationAuthor: Sendable {
    func brief(_ context: BriefContext) async -> Authored<BriefText>
    func verdict(_ context: MailCheckContext) async -> MailJudgement
}
