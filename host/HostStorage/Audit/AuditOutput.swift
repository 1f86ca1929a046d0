/// Who wrote a text, as an audit event tells it.
public struct AuditAuthor: Sendable {
    /// `model_output` or `deterministic_fallback`.
    public var source: String
    /// Nil when no model was asked.
    public var model: AuditModel?

    public init(source: String, model: AuditModel? = nil) {
        self.source = source
        self.model = model
    }

    var isFallback: Bool { source != "model_output" }

    var fields: [(String, AuditValue)] { [("llm_output_source", .code(source))] + (model?.fields ?? []) }
}

/// What a morning brief was made of.
public struct AuditBrief: Sendable {
    public var source: String
    public var localTime: String
    public var meetings: Int
    public var mailCandidates: Int
    public var eventsFetched: Int
    /// `gmail`, `unavailable` or `not_granted`.
    public var mailContext: String
    public var attestedMeasurement: String

    public init(
        source: String, localTime: String, meetings: Int, mailCandidates: Int, eventsFetched: Int,
        mailContext: String, attestedMeasurement: String
    ) {
        self.source = source
        self.localTime = localTime
        self.meetings = meetings
        self.mailCandidates = mailCandidates
        self.eventsFetched = eventsFetched
        self.mailContext = mailContext
        self.attestedMeasurement = attestedMeasurement
    }

    var fields: [(String, AuditValue)] {
        [
            ("action_source", .code(source)), ("morning_brief_local_time", .localTime(localTime)),
            ("meetings_in_context", .int(meetings)), ("urgent_email_candidates_in_context", .int(mailCandidates)),
            ("calendar_events_fetched", .int(eventsFetched)), ("urgent_email_context_source", .code(mailContext)),
            ("attested_measurement", .measurement(attestedMeasurement)),
        ]
    }
}

/// What a check of mail saw and said.
public struct AuditMailCheck: Sendable {
    public var candidates: Int
    public var fetched: Int
    public var attestedMeasurement: String
    public var shouldNotify: Bool
    public var urgency: String
    public var hasReason: Bool

    public init(
        candidates: Int, fetched: Int, attestedMeasurement: String, shouldNotify: Bool, urgency: String,
        hasReason: Bool
    ) {
        self.candidates = candidates
        self.fetched = fetched
        self.attestedMeasurement = attestedMeasurement
        self.shouldNotify = shouldNotify
        self.urgency = urgency
        self.hasReason = hasReason
    }

    var fields: [(String, AuditValue)] {
        [
            ("email_candidates_in_context", .int(candidates)), ("gmail_candidates_fetched", .int(fetched)),
            ("attested_measurement", .measurement(attestedMeasurement)),
            ("urgent_email_should_notify", .bool(shouldNotify)), ("urgent_email_urgency", .code(urgency)),
            ("urgent_email_reason_present", .bool(hasReason)),
        ]
    }
}
