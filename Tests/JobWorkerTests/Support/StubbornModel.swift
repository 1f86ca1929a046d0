import LLMGateway
import Synchronization

/// A model that says the same whatever it is shown, or fails in the same way.
final class StubbornModel: LanguageModel {
    private let answer: @Sendable (_ prompt: String) -> Result<String, LLMError>
    private let shown = Mutex<[String]>([])

    init(_ text: String) { answer = { _ in .success(text) } }
    init(failing error: LLMError) { answer = { _ in .failure(error) } }
    /// Says what it is told to when it is shown `word`, and `otherwise` else.
    init(when word: String, _ text: String, otherwise: String) {
        answer = { .success($0.contains(word) ? text : otherwise) }
    }

    /// Every prompt.
    var prompts: [String] { shown.withLock { $0 } }

    func complete(_ request: LLMRequest) async throws(LLMError) -> LLMCompletion {
        let prompt = request.messages.map(\.text).joined()
        shown.withLock { $0.append(prompt) }
        return LLMCompletion(
            text: try answer(prompt).get(), model: "evil/model", usage: TokenUsage(input: 3, output: 4),
            cost: 1_000_042,
            tries: 1, providerRequestID: "gen-1")
    }
}
