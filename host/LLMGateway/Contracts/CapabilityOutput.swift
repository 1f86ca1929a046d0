/// An answer about the meetings of a day.
public struct MeetingsText: Sendable, Equatable {
    public var title: String
    public var summary: String
    public var keyPoints: [String]
    public var followUps: [String]

    public init(title: String, summary: String, keyPoints: [String], followUps: [String]) {
        self.title = title
        self.summary = summary
        self.keyPoints = keyPoints
        self.followUps = followUps
    }
}

/// What a morning brief says.
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

/// Whether mail cannot wait, and what to say of it.
public struct MailVerdict: Sendable, Equatable {
    public enum Urgency: String, Sendable, CaseIterable { case low, medium, high, critical }

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

/// An answer of one capability.
public enum CapabilityOutput: Sendable, Equatable {
    case meetings(MeetingsText)
    case brief(BriefText)
    case mail(MailVerdict)

    /// Reads an answer that keeps the contract exactly; its texts are freed of characters that nobody sees.
    public init(reading answer: String, of capability: Capability) throws(ContractFailure) {
        guard let value = JSONValue(parsing: answer) else { throw .invalidJSON }
        let violations = SchemaCheck.violations(of: value, capability.schema)
        if let version = value["version"]?.string, version != Capability.contractVersion { throw .versionMismatch }
        guard violations.isEmpty, let output = value["output"] else {
            throw .schemaViolation(Array(violations.prefix(SchemaCheck.maximumPaths)))
        }
        func text(_ name: String) -> String { output[name]?.string.map(TextNormalization.visible) ?? "" }
        func texts(_ name: String) -> [String] {
            (output[name]?.array ?? []).compactMap(\.string).map(TextNormalization.visible)
        }
        switch capability {
        case .meetingsSummary:
            self = .meetings(
                MeetingsText(
                    title: text("title"), summary: text("summary"), keyPoints: texts("key_points"),
                    followUps: texts("follow_ups")))
        case .morningBrief:
            self = .brief(
                BriefText(
                    headline: text("headline"), summary: text("summary"), priorities: texts("priorities"),
                    schedule: texts("schedule"), alerts: texts("alerts")))
        case .urgentEmailSummary:
            self = .mail(
                MailVerdict(
                    shouldNotify: output["should_notify"]?.bool ?? false,
                    urgency: MailVerdict.Urgency(rawValue: text("urgency")) ?? .low, summary: text("summary"),
                    reason: text("reason"), actions: texts("suggested_actions")))
        }
    }

    /// The contract's JSON.
    public var json: JSONValue {
        let output: [String: JSONValue] =
            switch self {
            case .meetings(let text):
                [
                    "title": .string(text.title), "summary": .string(text.summary),
                    "key_points": .strings(text.keyPoints), "follow_ups": .strings(text.followUps),
                ]
            case .brief(let text):
                [
                    "headline": .string(text.headline), "summary": .string(text.summary),
                    "priorities": .strings(text.priorities), "schedule": .strings(text.schedule),
                    "alerts": .strings(text.alerts),
                ]
            case .mail(let verdict):
                [
                    "should_notify": .bool(verdict.shouldNotify), "urgency": .string(verdict.urgency.rawValue),
                    "summary": .string(verdict.summary), "reason": .string(verdict.reason),
                    "suggested_actions": .strings(verdict.actions),
                ]
            }
        return .object(["version": .string(Capability.contractVersion), "output": .object(output)])
    }
}
