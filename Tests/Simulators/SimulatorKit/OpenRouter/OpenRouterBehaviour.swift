/// How the simulated OpenRouter answers.
public struct OpenRouterBehaviour: Codable, Sendable, Hashable {
    /// What is wrong with an answer.
    public enum Flaw: String, Codable, Sendable, Hashable, CaseIterable {
        /// The body is no JSON.
        case malformedBody
        /// The body ends in the middle of its JSON.
        case cutBody
        /// No choice in it.
        case noChoice
        /// `finish_reason` is `length`.
        case truncated
        /// The model refuses.
        case refused
        /// The content is prose.
        case prose
        /// An `error` object with status 200.
        case errorInside
    }

    /// The key that is accepted; nil: any.
    public var apiKey: String?
    /// Models that know no schema: refused with 404 when they are asked with one.
    public var withoutSchema: [String]
    public var flaw: Flaw?
    /// Completions in turn; then those that fit the schema.
    public var scripted: [String]
    /// Completions by the name of the schema that is asked for.
    public var answers: [String: String]
    /// A model in an attacker's hand: every completion is this, whatever the prompt says.
    public var obeyed: String?
    /// Instead of a count from the length.
    public var promptTokens: Int?
    public var completionTokens: Int?
    /// Dollars in `usage`; without it none are stated.
    public var cost: Double?

    public init(
        apiKey: String? = nil, withoutSchema: [String] = [], flaw: Flaw? = nil, scripted: [String] = [],
        answers: [String: String] = [:], obeyed: String? = nil, promptTokens: Int? = nil, completionTokens: Int? = nil,
        cost: Double? = nil
    ) {
        self.apiKey = apiKey
        self.withoutSchema = withoutSchema
        self.flaw = flaw
        self.scripted = scripted
        self.answers = answers
        self.obeyed = obeyed
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.cost = cost
    }
}

/// What was asked of the simulated OpenRouter.
public struct OpenRouterRequest: Codable, Sendable, Hashable {
    public var model: String
    public var body: JSONValue
    public var referer: String?
    public var title: String?
    /// Whether a completion left for it.
    public var isAnswered: Bool
}
