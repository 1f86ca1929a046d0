/// Everything `llm-eval --mode live` is configured with.
public struct EvaluationConfiguration: Sendable {
    public let general: GeneralConfiguration
    public let llm: LLMConfiguration
    /// Misspelt variables, for one warning at start.
    public let unknownVariables: [String]

    /// - Throws: every violation at once.
    public init(_ loaded: LoadedEnvironment) throws(ConfigurationError) {
        var reader = ConfigurationReader(loaded)
        general = GeneralConfiguration(reading: &reader)
        llm = LLMConfiguration(reading: &reader)
        unknownVariables = loaded.unknownVariables
        try reader.finish()
    }
}
