import HTTPTypes

/// What a request is refused with.
struct APIError: Error, Sendable {
    /// The row of the table.
    let code: APIErrorCode
    /// `Retry-After`, for 429 and 503; at least 1.
    let retryAfterSeconds: Int
    /// The offending field of the request, a name fixed in the source; never its value.
    let field: StaticString?
    /// For 405: what the route takes.
    let allowedMethods: [HTTPRequest.Method]

    /// A refusal with the table's answer.
    init(_ code: APIErrorCode, field: StaticString? = nil, retryAfterSeconds: Int = 1) {
        self.code = code
        self.field = field
        self.retryAfterSeconds = max(1, retryAfterSeconds)
        allowedMethods = []
    }

    /// 405 with `Allow`.
    init(allowing methods: [HTTPRequest.Method]) {
        code = .methodNotAllowed
        field = nil
        retryAfterSeconds = 1
        allowedMethods = methods
    }

    /// The table's sentence, with the field's name if there is one.
    var message: String {
        guard let field else { return code.row.message }
        return "\(code.row.message.dropLast()): \(field)."
    }

    /// Headers that belong to the error itself.
    var headers: HTTPFields {
        var headers = HTTPFields()
        if code.status == 429 || code.status == 503 || code == .idempotencyInProgress {
            headers[.retryAfter] = String(retryAfterSeconds)
        }
        if code.status == 401 { headers[.wwwAuthenticate] = "Bearer" }
        if !allowedMethods.isEmpty { headers[.allow] = allowedMethods.map(\.rawValue).joined(separator: ", ") }
        return headers
    }
}

/// The two forms of an error body.
enum ErrorEnvelope {
    static let problemType = "application/problem+json"

    /// `{"error":{"code","message"}}`, or RFC 9457 for callers that ask for it.
    static func render(_ error: APIError, accept: String?, requestID: String) -> (contentType: String, body: [UInt8]) {
        guard wantsProblem(accept) else {
            let inner = JSONValue.object(["code": .string(error.code.code), "message": .string(error.message)])
            return ("application/json", JSONValue.object(["error": inner]).encoded())
        }
        let body = JSONValue.object([
            "type": .string("urn:alfred:error:\(error.code.code)"), "title": .string(error.message),
            "status": .integer(error.code.status), "code": .string(error.code.code), "request_id": .string(requestID),
        ])
        return (problemType, body.encoded())
    }

    private static func wantsProblem(_ accept: String?) -> Bool {
        accept?.split(separator: ",").contains { part in
            let type = part.split(separator: ";", maxSplits: 1).first ?? ""
            return String(type).lowercased().filter { $0 != " " && $0 != "\t" } == problemType
        } ?? false
    }
}
