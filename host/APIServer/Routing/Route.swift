import EnclaveProtocol
import HTTPTypes

/// One row of the route table.
struct Route: Sendable {
    /// Who may call, and what then answers.
    enum Handler: Sendable {
        /// Without authentication.
        case open(@Sendable (APICall) async throws(APIError) -> APIAnswer)
        /// With a verified user; a handler of this kind cannot be called without one.
        case user(@Sendable (APICall, UserID) async throws(APIError) -> APIAnswer)
        /// As `user`, and the user's account may be deleted.
        case formerUser(@Sendable (APICall, UserID) async throws(APIError) -> APIAnswer)
    }

    /// Whether a JSON body is read.
    enum Body: Sendable { case none, optional, required }

    let method: HTTPRequest.Method
    /// Literal segments and placeholders: `/v1/connectors/{connector_id}`.
    let template: String
    /// Limit on calls, per user or per client address.
    let bucket: RateBucket?
    let body: Body
    /// Status of success.
    let success: HTTPResponse.Status
    /// What the handler may be refused with, beside what every route of its kind answers.
    let errors: Set<APIErrorCode>
    let handler: Handler

    static func get(
        _ template: String, _ bucket: RateBucket?, success: HTTPResponse.Status = .ok, errors: Set<APIErrorCode> = [],
        _ handler: Handler
    ) -> Route {
        Route(
            method: .get, template: template, bucket: bucket, body: .none, success: success, errors: errors,
            handler: handler)
    }

    static func delete(
        _ template: String, _ bucket: RateBucket?, errors: Set<APIErrorCode> = [], _ handler: Handler
    ) -> Route {
        Route(
            method: .delete, template: template, bucket: bucket, body: .none, success: .ok, errors: errors,
            handler: handler)
    }

    /// POST with a JSON body.
    static func post(
        _ template: String, _ bucket: RateBucket?, body: Body = .required, errors: Set<APIErrorCode> = [],
        _ handler: Handler
    ) -> Route {
        Route(
            method: .post, template: template, bucket: bucket, body: body, success: .ok, errors: errors,
            handler: handler)
    }

    /// PUT with a JSON body.
    static func put(
        _ template: String, _ bucket: RateBucket?, errors: Set<APIErrorCode> = [], _ handler: Handler
    ) -> Route {
        Route(
            method: .put, template: template, bucket: bucket, body: .required, success: .ok, errors: errors,
            handler: handler)
    }
}
