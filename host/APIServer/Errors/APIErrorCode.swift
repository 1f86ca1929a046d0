/// Every error the API can answer: the one table of code, status and message.
///
/// A code that is answered with two statuses has two cases.
enum APIErrorCode: CaseIterable, Sendable {
    // Framing and shape.
    case headersTooLarge, payloadTooLarge, invalidRequest, expectationFailed, requestReadTimeout, requestTimeout
    case notFound, methodNotAllowed, unsupportedMediaType, invalidJSON, invalidRequestBody
    // Repeated requests.
    case invalidIdempotencyKey, idempotencyInProgress, idempotencyKeyReused
    // The caller.
    case unauthorized, accountDeleted, rateLimited, clerkJWKSUnavailable
    // The service.
    case internalError, databaseUnavailable, schemaOutdated, draining
    // Devices, preferences, audit and the assistant.
    case invalidDeviceID, invalidAPNsToken, invalidTitle, invalidBody, noRegisteredDevice
    case invalidPreferences, invalidCursor, invalidQuery, unsupportedAssistantQuery
    // Google.
    case invalidRedirectURI, oauthConfigError, invalidOAuthCode, invalidState, oauthConsentDenied, oauthCallbackError
    case oauthUnavailable, oauthTokenExchangeFailed, oauthInvalidResponse, missingRefreshToken, insufficientScopes
    case oauthRevokeUnavailable, oauthRevokeFailed, unsupportedProvider
    case connectorTokenUnavailable, googleConnectorNotActive
    case googleCalendarUnavailable, googleCalendarFailed, googleCalendarInvalidResponse
    // The enclave.
    case securityRuntimeUnavailable, securityRuntimeMisconfigured, decryptNotAuthorized
    case attestationDocumentUnavailable, attestationChallengeFailed, attestationChallengeUnavailable
}

extension APIErrorCode {
    /// What is answered: the code is the contract, the message one fixed sentence that echoes nothing.
    struct Row: Sendable {
        let code: String
        let status: Int
        let message: String

        init(_ code: String, _ status: Int, _ message: String) {
            self.code = code
            self.status = status
            self.message = message
        }
    }

    /// The contract's word for it.
    var code: String { row.code }
    /// The HTTP status.
    var status: Int { row.status }

    var row: Row {
        switch self {
        case .headersTooLarge: Row("headers_too_large", 431, "The request head is too large.")
        case .payloadTooLarge: Row("payload_too_large", 413, "The request body is too large.")
        case .invalidRequest: Row("invalid_request", 400, "The request is not valid HTTP/1.1.")
        case .expectationFailed: Row("invalid_request", 417, "The expectation cannot be met.")
        case .requestReadTimeout: Row("request_timeout", 408, "The request did not arrive in time.")
        case .requestTimeout: Row("request_timeout", 503, "The request took too long.")
        case .notFound: Row("not_found", 404, "There is nothing here.")
        case .methodNotAllowed: Row("method_not_allowed", 405, "The method is not allowed here.")
        case .unsupportedMediaType: Row("unsupported_media_type", 415, "The body must be application/json in UTF-8.")
        case .invalidJSON: Row("invalid_json", 400, "The body is not valid JSON.")
        case .invalidRequestBody: Row("invalid_request_body", 422, "A field is missing or has the wrong type.")
        case .invalidIdempotencyKey: Row("invalid_idempotency_key", 400, "The Idempotency-Key is out of rule.")
        case .idempotencyInProgress: Row("idempotency_in_progress", 409, "The first request is still running.")
        case .idempotencyKeyReused:
            Row("idempotency_key_reused", 422, "The Idempotency-Key was used for another request.")
        case .unauthorized: Row("unauthorized", 401, "A valid bearer token is required.")
        case .accountDeleted: Row("account_deleted", 403, "The account has been deleted.")
        case .rateLimited: Row("rate_limited", 429, "There were too many requests.")
        case .clerkJWKSUnavailable: Row("clerk_jwks_unavailable", 502, "The sign-in keys cannot be fetched.")
        case .internalError: Row("internal_error", 500, "Something went wrong here.")
        case .databaseUnavailable: Row("db_unavailable", 503, "The database cannot be reached.")
        case .schemaOutdated: Row("schema_outdated", 503, "The database is older than this server.")
        case .draining: Row("draining", 503, "This server is shutting down.")
        case .invalidDeviceID: Row("invalid_device_id", 400, "device_id is out of rule.")
        case .invalidAPNsToken: Row("invalid_apns_token", 400, "apns_token is out of rule.")
        case .invalidTitle: Row("invalid_title", 400, "title is out of rule.")
        case .invalidBody: Row("invalid_body", 400, "body is out of rule.")
        case .noRegisteredDevice: Row("no_registered_device", 400, "No device is registered for notifications.")
        case .invalidQuery: Row("invalid_query", 400, "query is out of rule.")
        case .unsupportedAssistantQuery:
            Row("unsupported_assistant_query", 400, "The assistant cannot answer this question.")
        case .invalidPreferences: Row("invalid_preferences", 400, "A preference is out of rule.")
        case .invalidCursor: Row("invalid_cursor", 400, "The cursor is malformed.")
        case .invalidRedirectURI: Row("invalid_redirect_uri", 400, "The redirect URI is not one of the allowed ones.")
        case .oauthConfigError: Row("oauth_config_error", 400, "The redirect URI differs from the enclave's.")
        case .invalidOAuthCode: Row("invalid_oauth_code", 400, "The authorization code is missing or not valid.")
        case .invalidState: Row("invalid_state", 400, "The state is unknown, used, claimed or expired.")
        case .oauthConsentDenied: Row("oauth_consent_denied", 400, "Consent was denied.")
        case .oauthCallbackError: Row("oauth_callback_error", 400, "The provider reported an error.")
        case .oauthUnavailable: Row("oauth_unavailable", 502, "The provider cannot be reached.")
        case .oauthTokenExchangeFailed: Row("oauth_token_exchange_failed", 502, "The provider refused the exchange.")
        case .oauthInvalidResponse: Row("oauth_invalid_response", 502, "The provider's answer is not valid.")
        case .missingRefreshToken: Row("missing_refresh_token", 400, "The provider gave no lasting access.")
        case .insufficientScopes: Row("insufficient_scopes", 400, "No usable permission was granted.")
        case .oauthRevokeUnavailable: Row("oauth_revoke_unavailable", 502, "The provider cannot revoke the access now.")
        case .oauthRevokeFailed: Row("oauth_revoke_failed", 502, "The provider refused to revoke the access.")
        case .unsupportedProvider: Row("unsupported_provider", 400, "The provider is not supported.")
        case .connectorTokenUnavailable:
            Row("connector_token_unavailable", 400, "The stored access is gone or changed meanwhile.")
        case .googleConnectorNotActive:
            Row("google_connector_not_active", 400, "The Google account must be reconnected.")
        case .googleCalendarUnavailable:
            Row("google_calendar_unavailable", 502, "The calendar cannot be reached.")
        case .googleCalendarFailed: Row("google_calendar_failed", 502, "The calendar refused the request.")
        case .googleCalendarInvalidResponse:
            Row("google_calendar_invalid_response", 502, "The calendar's answer is not valid.")
        case .securityRuntimeUnavailable:
            Row("security_runtime_error", 503, "The secure runtime cannot be reached.")
        case .securityRuntimeMisconfigured:
            Row("security_runtime_error", 500, "The secure runtime cannot be verified.")
        case .decryptNotAuthorized: Row("decrypt_not_authorized", 403, "The secure runtime refused the operation.")
        case .attestationDocumentUnavailable:
            Row("attestation_document_unavailable", 503, "The attestation document cannot be fetched.")
        case .attestationChallengeFailed:
            Row("attestation_challenge_failed", 400, "The attestation challenge is out of rule.")
        case .attestationChallengeUnavailable:
            Row("attestation_challenge_failed", 503, "The attestation challenge cannot be relayed now.")
        }
    }
}
