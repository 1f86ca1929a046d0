public import FoundationEssentials
public import HostRuntime

/// One message of a conversation with a model.
public struct LLMMessage: Sendable, Hashable {
    public enum Role: String, Sendable { case system, user, assistant }

    public let role: Role
    public let text: String

    public init(_ role: Role, _ text: String) {
        self.role = role
        self.text = text
    }
}

/// Who asks, as it stands in logs.
public enum LLMSource: String, Sendable, CaseIterable {
    case assistantQuery = "api_assistant_query"
    case morningBrief = "worker_morning_brief"
    case urgentEmail = "worker_urgent_email"
    case evaluation
}

/// What an answer must look like: a JSON Schema and a check that no schema can make.
public struct LLMOutputContract: Sendable {
    /// 1–64 of `[a-z0-9_-]`; also the capability in metrics.
    public let name: String
    /// Part of the cache's key.
    public let version: String
    /// The JSON Schema, as JSON text.
    public let schema: String
    private let check: @Sendable (String) -> [String]

    /// `check` gets an answer, valid JSON, and returns the rules it breaks, by path; empty: it is accepted.
    public init(
        name: String, version: String, schema: String, check: @escaping @Sendable (String) -> [String] = { _ in [] }
    ) {
        self.name = name
        self.version = version
        self.schema = schema
        self.check = check
    }

    /// The rules that `output` breaks.
    public func violations(of output: String) -> [String] { check(output) }
}

/// One question to a model.
public struct LLMRequest: Sendable {
    public let user: UUID
    public let source: LLMSource
    public let messages: [LLMMessage]
    public let output: LLMOutputContract
    /// Longest wait, all tries included; nil or more than `OPENROUTER_TOTAL_DEADLINE_MS` mean that.
    public let deadline: Duration?
    public let requestID: RequestID
    public let trace: TraceContext?

    public init(
        user: UUID, source: LLMSource, messages: [LLMMessage], output: LLMOutputContract, deadline: Duration? = nil,
        requestID: RequestID = .new(), trace: TraceContext? = nil
    ) {
        self.user = user
        self.source = source
        self.messages = messages
        self.output = output
        self.deadline = deadline
        self.requestID = requestID
        self.trace = trace
    }
}
