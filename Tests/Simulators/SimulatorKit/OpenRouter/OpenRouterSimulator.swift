import Foundation
import HTTPTypes

/// OpenRouter's chat completions: checks what the real service checks, and answers as it was told to.
actor OpenRouterSimulator: ProviderSimulator {
    /// Most requests remembered.
    static let maximumRequests = 10_000

    private var behaviour = OpenRouterBehaviour()
    private var requests: [OpenRouterRequest] = []
    private var answered = 0

    nonisolated func call(of request: ProviderRequest) -> ProviderCall? {
        request.path == "/api/v1/chat/completions" ? .chatCompletion : nil
    }

    nonisolated func unknownEndpoint(_ request: ProviderRequest) -> ProviderResponse {
        Self.error(.notFound, "not found")
    }

    func setBehaviour(_ behaviour: OpenRouterBehaviour) { self.behaviour = behaviour }
    func all() -> [OpenRouterRequest] { requests }
    func completions() -> Int { answered }
    func clear() {
        requests = []
        answered = 0
    }

    func answer(_ call: ProviderCall, _ request: ProviderRequest) async -> ProviderResponse {
        guard request.method == .post else { return Self.error(.methodNotAllowed, "method not allowed") }
        guard let key = request.bearer, behaviour.apiKey == nil || behaviour.apiKey == key else {
            return Self.error(.unauthorized, "No auth credentials found")
        }
        guard let body = JSONValue(parsing: request.body), let model = body["model"]?.text, !model.isEmpty else {
            return Self.error(.badRequest, "No models provided")
        }
        let index = requests.count
        if index < Self.maximumRequests {
            requests.append(
                OpenRouterRequest(
                    model: model, body: body, referer: Self.header("HTTP-Referer", request),
                    title: Self.header("X-Title", request), isAnswered: false))
        }
        if let refusal = refusal(body, model) { return refusal }
        answered += 1
        if index < requests.count { requests[index].isAnswered = true }
        return completion(body, model)
    }

    private func refusal(_ body: JSONValue, _ model: String) -> ProviderResponse? {
        guard let messages = body["messages"]?.elements, !messages.isEmpty,
            messages.allSatisfy({
                ["system", "user", "assistant"].contains($0["role"]?.text ?? "") && $0["content"]?.text != nil
            })
        else { return Self.error(.badRequest, "Input required: specify \"messages\"") }
        guard let tokens = body["max_tokens"]?.integer, tokens > 0 else {
            return Self.error(.badRequest, "max_tokens must be a positive number")
        }
        guard let format = body["response_format"] else { return nil }
        switch format["type"]?.text {
        case "json_object": return nil
        case "json_schema":
            guard let description = format["json_schema"], let name = description["name"]?.text,
                (1...64).contains(name.utf8.count), let schema = description["schema"], Self.isStrict(schema)
            else { return Self.error(.badRequest, "Invalid schema for response_format") }
            guard !behaviour.withoutSchema.contains(model) else {
                return Self.error(.notFound, "No endpoints found that can handle the requested parameters.")
            }
            return nil
        default: return Self.error(.badRequest, "unknown response_format")
        }
    }

    /// Strict schemas close every object and require every property.
    private static func isStrict(_ schema: JSONValue) -> Bool {
        guard case .object(let members) = schema else { return false }
        if case .object(let properties)? = members["properties"] {
            let required = Set(members["required"]?.elements?.compactMap(\.text) ?? [])
            guard members["additionalProperties"] == .bool(false), required == Set(properties.keys),
                properties.values.allSatisfy(isStrict)
            else { return false }
        }
        return members["items"].map(isStrict) ?? true
    }

    private func completion(_ body: JSONValue, _ model: String) -> ProviderResponse {
        if behaviour.flaw == .malformedBody { return ProviderResponse(status: .ok, body: Array("<html>".utf8)) }
        if behaviour.flaw == .errorInside {
            return .json(["error": ["code": 502, "message": "Provider returned error"]])
        }
        let content = content(body)
        let asked = body["messages"]?.elements?.reduce(0) { $0 + ($1["content"]?.text?.utf8.count ?? 0) } ?? 0
        var usage: [String: JSONValue] = [
            "prompt_tokens": .integer(behaviour.promptTokens ?? (asked + 3) / 4),
            "completion_tokens": .integer(behaviour.completionTokens ?? (content.utf8.count + 3) / 4),
        ]
        if let cost = behaviour.cost { usage["cost"] = .number(cost) }
        let choice: JSONValue = [
            "index": 0, "finish_reason": .string(behaviour.flaw == .truncated ? "length" : "stop"),
            "message": [
                "role": "assistant", "content": .string(content),
                "refusal": behaviour.flaw == .refused ? "I cannot help with that." : .null,
            ],
        ]
        let answer = ProviderResponse.json([
            "id": .string("gen-\(answered)"), "object": "chat.completion", "model": .string(model),
            "choices": .array(behaviour.flaw == .noChoice ? [] : [choice]), "usage": .object(usage),
        ])
        guard behaviour.flaw == .cutBody else { return answer }
        return ProviderResponse(
            status: .ok, headers: answer.headers, body: Array(answer.body.prefix(answer.body.count / 2)))
    }

    private func content(_ body: JSONValue) -> String {
        if let obeyed = behaviour.obeyed { return obeyed }
        if behaviour.flaw == .prose { return "Certainly! Here is what you asked for." }
        if !behaviour.scripted.isEmpty { return behaviour.scripted.removeFirst() }
        let format = body["response_format"]?["json_schema"]
        if let name = format?["name"]?.text, let answer = behaviour.answers[name] { return answer }
        let schema = format?["schema"] ?? ["type": "object"]
        return String(decoding: Self.example(of: schema).bytes, as: UTF8.self)
    }

    /// The least that fits a schema.
    private static func example(of schema: JSONValue) -> JSONValue {
        if let fixed = schema["const"] { return fixed }
        if let first = schema["enum"]?.elements?.first { return first }
        switch schema["type"]?.text ?? schema["type"]?.elements?.first?.text {
        case "object":
            guard case .object(let properties)? = schema["properties"] else { return .object([:]) }
            return .object(properties.mapValues(example))
        case "array":
            guard let items = schema["items"], let least = schema["minItems"]?.integer else { return .array([]) }
            return .array(Array(repeating: example(of: items), count: min(max(least, 0), 100)))
        case "string":
            return .string(String(repeating: "a", count: min(max(schema["minLength"]?.integer ?? 1, 1), 4096)))
        case "integer", "number": return .integer(schema["minimum"]?.integer ?? 0)
        case "boolean": return .bool(false)
        default: return .null
        }
    }

    private static func header(_ name: String, _ request: ProviderRequest) -> String? {
        HTTPField.Name(name).flatMap { request.headers[$0] }
    }

    private static func error(_ status: HTTPResponse.Status, _ message: String) -> ProviderResponse {
        .json(["error": ["code": .integer(status.code), "message": .string(message)]], status: status)
    }
}
