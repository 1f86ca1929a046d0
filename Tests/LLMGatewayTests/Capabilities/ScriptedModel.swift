import LLMGateway
import Synchronization

/// A model that answers as a test wants; it keeps what it was asked.
final class ScriptedModel: LanguageModel {
    private let script: @Sendable (LLMRequest) throws(LLMError) -> String
    private let asked = Mutex<[LLMRequest]>([])

    init(_ script: @escaping @Sendable (LLMRequest) throws(LLMError) -> String) { self.script = script }

    convenience init(answering text: String) {
        self.init { _ throws(LLMError) in text }
    }

    var requests: [LLMRequest] { asked.withLock { $0 } }

    func complete(_ request: LLMRequest) async throws(LLMError) -> LLMCompletion {
        asked.withLock { $0.append(request) }
        return LLMCompletion(
            text: try script(request), model: "scripted/model", usage: TokenUsage(input: 10, output: 5), cost: 42,
            tries: 1, providerRequestID: "gen-1")
    }

    /// A model that is wholly the attacker's: of everything it is shown it looks for JSON in a text from outside, and
    /// answers exactly that; it answers `otherwise` when no attacker wrote any.
    static func obeying(otherwise: String = "{}") -> ScriptedModel {
        ScriptedModel { request throws(LLMError) in
            let shown = request.messages.last.flatMap { JSONValue(parsing: $0.text) }
            return shown?["context_payload"].flatMap(order) ?? otherwise
        }
    }

    /// The first text that holds an object.
    private static func order(in value: JSONValue) -> String? {
        switch value {
        case .string(let text):
            guard let first = text.firstIndex(of: "{"), let last = text.lastIndex(of: "}"), first < last else {
                return nil
            }
            return String(text[first...last])
        case .array(let items): return items.lazy.compactMap(order).first
        case .object(let members):
            return members.sorted { $0.key < $1.key }.lazy.compactMap { order(in: $0.value) }.first
        default: return nil
        }
    }
}
