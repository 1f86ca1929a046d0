import LLMGateway
import Synchronization

/// A model that says the same whatever it is shown, or fails in the same way.
final class StubbornModel: LanguageModel {
    private let answer: Result<String, LLMError>
    private let shown = Mutex<[String]>([])

    init(_ text: String) { answer = .success(text) }
    init(failing error: LLMError) { answer = .failure(error) }

    /// Every prompt.
    var prompts: [String] { shown.withLock { $0 } }

    func complete(_ request: LLMRequest) async throws(LLMError) -> LLMCompletion {
        shown.withLock { $0.append(request.messages.map(\.text).joined()) }
        return LLMCompletion(
            text: try answer.get(), model: "evil/model", usage: TokenUsage(input: 3, output: 4), cost: 1_000_042,
            tries: 1, providerRequestID: "gen-1")
    }
}
