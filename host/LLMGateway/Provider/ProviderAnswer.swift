import Foundation

/// What one try brought.
struct TryResult: Sendable, Equatable {
    enum Ending: Sendable, Equatable {
        /// JSON text of the model.
        case answered(String)
        case invalid(LLMError.Payload)
        case failed(status: Int, code: String, namesSchema: Bool)
        case timedOut
        /// `mayHaveSent`: the provider may have done the work.
        case disconnected(mayHaveSent: Bool)
        case cancelled
    }

    var ending: Ending
    var model: String
    var usage = TokenUsage()
    /// Micro-dollars; nil when unknown.
    var cost: Int?
    var retryAfter: Duration?
    var requestID: String?
}

/// The provider's answer as it is on the wire.
struct ProviderAnswer: Decodable {
    struct Choice: Decodable {
        struct Message: Decodable {
            var content: JSONContent?
            var refusal: JSONContent?
        }

        var message: Message?
        var finish_reason: String?
    }

    struct Usage: Decodable {
        var prompt_tokens: Double?
        var completion_tokens: Double?
        var cost: Double?
    }

    struct Failure: Decodable {
        var code: JSONContent?
        var message: String?
        var type: String?
    }

    var id: String?
    var model: String?
    var choices: [Choice]?
    var usage: Usage?
    var error: Failure?
}

extension ProviderAnswer {
    /// Words by which a provider says that the model knows no schema.
    private static let schemaWords = ["response_format", "json_schema", "structured output", "no endpoints"]

    /// Reads the body of an answer with `status`.
    static func result(
        of body: [UInt8], status: Int, requestID: String?, requested model: String, prices: PriceTable
    ) -> TryResult {
        let answer = try? JSONDecoder().decode(ProviderAnswer.self, from: Data(body))
        guard (200..<300).contains(status) else { return failure(answer?.error, status, model) }
        guard let answer else {
            return TryResult(ending: .invalid(.parseFailed), model: model, requestID: requestID)
        }
        if let error = answer.error {
            var code = 502
            if case .integer(let number) = error.code, (400...599).contains(number) { code = number }
            return failure(error, code, model)
        }
        let named = answer.model.flatMap { isModel($0) ? $0 : nil } ?? model
        let usage = TokenUsage(
            input: tokens(answer.usage?.prompt_tokens), output: tokens(answer.usage?.completion_tokens))
        var result = TryResult(ending: answer.ending, model: named, usage: usage)
        result.requestID = (requestID ?? answer.id).flatMap { isWord($0) ? $0 : nil }
        if let cost = answer.usage?.cost, cost.isFinite, (0...1_000_000).contains(cost) {
            // A binary fraction that is a hair above a whole number is that number.
            result.cost = Int((cost * 1_000_000 - 0.000_1).rounded(.up))
        } else if answer.usage != nil {
            result.cost = prices.cost(usage, of: model)
        }
        return result
    }

    private var ending: TryResult.Ending {
        guard let choice = choices?.first, let message = choice.message else { return .invalid(.missingChoice) }
        switch choice.finish_reason {
        case "length": return .invalid(.truncated)
        case "content_filter": return .invalid(.refused)
        default: break
        }
        switch message.refusal {
        case nil, .null, .text(""): break
        default: return .invalid(.refused)
        }
        switch message.content {
        case .text(let text): return JSONText.isValid(text) ? .answered(text) : .invalid(.contentNotJSON)
        case .object(let members): return .answered(JSONText.of(members))
        default: return .invalid(.unsupportedShape)
        }
    }

    private static func failure(_ error: Failure?, _ status: Int, _ model: String) -> TryResult {
        let text = [error?.message, error?.type].compactMap { $0?.lowercased() }.joined(separator: " ")
        let code =
            switch error?.code {
            case .integer(let number): String(number)
            case .text(let text) where isWord(text): text
            default: "unknown"
            }
        let namesSchema = [400, 404, 422].contains(status) && schemaWords.contains { text.contains($0) }
        return TryResult(
            ending: .failed(status: status, code: code, namesSchema: namesSchema), model: model, cost: 0)
    }

    private static func tokens(_ count: Double?) -> UInt32 {
        guard let count, count.isFinite, count > 0 else { return 0 }
        return count >= Double(UInt32.max) ? .max : UInt32(count)
    }

    private static func isWord(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
                    || byte == 0x2d || byte == 0x2e || byte == 0x5f
            }
    }

    private static func isModel(_ text: String) -> Bool {
        text.utf8.count <= 128
            && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
                isWord(String(part.map { $0 == ":" ? "." : $0 }))
            }
    }
}
