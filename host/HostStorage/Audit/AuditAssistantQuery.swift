public import FoundationEssentials

/// What is audited of one question to the assistant; never the question or the answer.
public struct AuditAssistantQuery: Sendable {
    /// `calendar`, the kind of data the answer was made from.
    public var source: String
    public var requestID: String
    public var session: UUID
    public var turnCount: Int
    public var expiresAt: Date?
    /// The turn was stored.
    public var isPersisted: Bool
    /// A memory that could not be read was dropped.
    public var wasReset: Bool
    public var attestedMeasurement: String?
    /// The answer is the deterministic one.
    public var usedFallback: Bool
    /// Why there is no model output, a fixed word.
    public var llmError: String?
    /// Nil when no model was asked.
    public var model: AuditModel?

    public init(
        source: String, requestID: String, session: UUID, turnCount: Int, expiresAt: Date?, isPersisted: Bool,
        wasReset: Bool, attestedMeasurement: String?, usedFallback: Bool, llmError: String?, model: AuditModel? = nil
    ) {
        self.source = source
        self.requestID = requestID
        self.session = session
        self.turnCount = turnCount
        self.expiresAt = expiresAt
        self.isPersisted = isPersisted
        self.wasReset = wasReset
        self.attestedMeasurement = attestedMeasurement
        self.usedFallback = usedFallback
        self.llmError = llmError
        self.model = model
    }

    var fields: [(String, AuditValue)] {
        var fields: [(String, AuditValue)] = [
            ("action_source", .code(source)), ("request_id", .ref(requestID)), ("assistant_session_id", .id(session)),
            ("assistant_session_turn_count", .int(turnCount)), ("assistant_session_persisted", .bool(isPersisted)),
            ("assistant_session_reset", .bool(wasReset)),
            ("llm_output_source", .code(usedFallback ? "deterministic_fallback" : "model_output")),
        ]
        if let expiresAt { fields.append(("assistant_session_expires_at", .time(expiresAt))) }
        if let attestedMeasurement { fields.append(("attested_measurement", .measurement(attestedMeasurement))) }
        if let llmError { fields.append(("llm_error", .code(llmError))) }
        return fields + (model?.fields ?? [])
    }
}
