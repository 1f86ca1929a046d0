/// A long row of failures of the provider, as this process sees it.
public struct ProviderDegradation: Sendable, Hashable {
    /// The provider of the last failure, or of the success that ended the row.
    public var provider: String
    /// Failures one after the other.
    public var failures: Int
    /// From the first to the last of them.
    public var seconds: Int
    /// This answer ended it.
    public var hasRecovered: Bool

    public init(provider: String, failures: Int, seconds: Int, hasRecovered: Bool) {
        self.provider = provider
        self.failures = failures
        self.seconds = seconds
        self.hasRecovered = hasRecovered
    }
}

/// How a request ended, and how the provider does.
public struct LLMResponse: Sendable {
    public var outcome: Result<LLMCompletion, LLMError>
    /// Nil while the provider does well enough.
    public var degradation: ProviderDegradation?

    public init(_ outcome: Result<LLMCompletion, LLMError>, degradation: ProviderDegradation? = nil) {
        self.outcome = outcome
        self.degradation = degradation
    }
}

extension LanguageModel {
    /// A model that knows nothing of a provider.
    public func respond(to request: LLMRequest) async -> LLMResponse {
        do throws(LLMError) {
            return LLMResponse(.success(try await complete(request)))
        } catch {
            return LLMResponse(.failure(error))
        }
    }
}
