import EnclaveProtocol
import HTTPTypes
import HostRuntime

/// What a handler knows of the request it answers.
struct APICall: Sendable {
    let requestID: RequestID
    let trace: TraceContext
    /// Writes lines with the ids of this request.
    let log: HostLog
    /// What the placeholders of the route's template stand for.
    let parameters: [String: String]
    /// The query as it came, without the question mark; never logged.
    let query: String?
    /// The JSON body, empty on routes that take none.
    let body: RequestFields
    /// The client's name for this request, if it may send it again.
    let idempotencyKey: IdempotencyKey?
}

/// What a handler answers.
struct APIAnswer: Sendable {
    let status: HTTPResponse.Status
    let headers: HTTPFields
    let contentType: String
    let body: [UInt8]

    /// 200 with JSON.
    static func json(_ value: JSONValue) -> APIAnswer {
        APIAnswer(status: .ok, headers: [:], contentType: "application/json", body: value.encoded())
    }

    /// 200 with text of another kind.
    static func text(_ text: String, contentType: String) -> APIAnswer {
        APIAnswer(status: .ok, headers: [:], contentType: contentType, body: Array(text.utf8))
    }
}
