import HTTPTypes

/// The error answers of Google's endpoints, with Google's statuses and words.
enum GoogleError {
    case oauth(HTTPResponse.Status, String, String)
    case api(HTTPResponse.Status, reason: String, message: String, state: String, location: String?)
    case insufficientScopes(service: String, method: String)

    static func invalidGrant(_ description: String) -> GoogleError {
        .oauth(.badRequest, "invalid_grant", description)
    }

    static func invalidRequest(_ description: String) -> GoogleError {
        .oauth(.badRequest, "invalid_request", description)
    }

    static let invalidCredentials = GoogleError.api(
        .unauthorized, reason: "authError", message: "Invalid Credentials", state: "UNAUTHENTICATED",
        location: "Authorization")

    static let loginRequired = GoogleError.api(
        .unauthorized, reason: "required", message: "Login Required.", state: "UNAUTHENTICATED",
        location: "Authorization")

    static let notFound = GoogleError.api(
        .notFound, reason: "notFound", message: "Not Found", state: "NOT_FOUND", location: nil)

    static func badRequest(_ message: String) -> GoogleError {
        .api(.badRequest, reason: "badRequest", message: message, state: "INVALID_ARGUMENT", location: nil)
    }

    init(_ refusal: TokenRefusal) {
        self =
            switch refusal {
            case .malformedCode: .invalidGrant("Malformed auth code.")
            case .spentCode, .expiredCode: .invalidGrant("Bad Request")
            case .otherRedirectURI: .oauth(.badRequest, "redirect_uri_mismatch", "Bad Request")
            case .missingVerifier: .invalidGrant("Missing code verifier.")
            case .wrongVerifier: .invalidGrant("Invalid code verifier.")
            case .deadRefreshToken: .invalidGrant("Token has been expired or revoked.")
            }
    }

    var response: ProviderResponse {
        switch self {
        case .oauth(let status, let error, let description):
            return .json(
                ["error": .string(error), "error_description": .string(description)], status: status,
                headers: [.cacheControl: "no-cache, no-store, max-age=0, must-revalidate"])
        case .api(let status, let reason, let message, let state, let location):
            return Self.api(status, reason, message, state, location, details: nil)
        case .insufficientScopes(let service, let method):
            return Self.api(
                .forbidden, "insufficientPermissions", "Request had insufficient authentication scopes.",
                "PERMISSION_DENIED", nil,
                details: [
                    [
                        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "domain": "googleapis.com",
                        "metadata": ["service": .string(service), "method": .string(method)],
                    ]
                ])
        }
    }

    private static func api(
        _ status: HTTPResponse.Status, _ reason: String, _ message: String, _ state: String, _ location: String?,
        details: JSONValue?
    ) -> ProviderResponse {
        var item: [String: JSONValue] = [
            "domain": "global", "reason": .string(reason), "message": .string(message),
        ]
        if let location {
            item["location"] = .string(location)
            item["locationType"] = "header"
        }
        var error: [String: JSONValue] = [
            "code": .integer(status.code), "message": .string(message), "errors": [.object(item)],
            "status": .string(state),
        ]
        error["details"] = details
        return .json(["error": .object(error)], status: status)
    }
}
