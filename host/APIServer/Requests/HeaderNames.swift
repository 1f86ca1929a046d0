import HTTPTypes

extension HTTPField.Name {
    static let xForwardedFor = known("x-forwarded-for")
    static let xRealIP = known("x-real-ip")
    static let xRequestID = known("x-request-id")
    static let traceparent = known("traceparent")
    static let rateLimit = known("ratelimit")
    static let rateLimitPolicy = known("ratelimit-policy")
    static let referrerPolicy = known("referrer-policy")
    static let idempotencyKey = known("idempotency-key")
    static let idempotencyReplayed = known("idempotency-replayed")

    private static func known(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("not a header name") }
        return name
    }
}
