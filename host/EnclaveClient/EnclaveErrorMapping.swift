internal import EnclaveProtocol

/// What a host was doing when the enclave failed; it decides between the codes of Google's three kinds of failure.
public enum EnclaveOperation: Sendable, CaseIterable {
    case connect, refresh, revoke, calendar, gmailList, gmailMessage, data
}

/// How the API answers a failure of the enclave.
public struct RESTFailure: Equatable, Sendable {
    /// HTTP status.
    public let status: Int
    /// `error.code`.
    public let code: String
    /// `Retry-After` in seconds.
    public let retryAfterSeconds: Int?

    init(_ status: Int, _ code: String, retryAfterSeconds: Int? = nil) {
        self.status = status
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds
    }
}

/// How a job ends after a failure of the enclave.
public struct JobFailure: Equatable, Sendable {
    /// What the job engine does next.
    public enum Class: Sendable {
        case transient, deferred, permanent
        /// Done, with the outcome `skipped:<code>`.
        case skip
    }

    /// What the job engine does next.
    public let kind: Class
    /// Error code of the job, or the reason of the skip.
    public let code: String
    /// Somebody has to look at it.
    public let alert: Bool
    /// Seconds that Google asked to wait.
    public let retryAfterSeconds: Int?

    init(_ kind: Class, _ code: String, alert: Bool = false, retryAfterSeconds: Int? = nil) {
        self.kind = kind
        self.code = code
        self.alert = alert
        self.retryAfterSeconds = retryAfterSeconds
    }
}

/// The one table from failures of the enclave to answers of the API and results of jobs.
public enum EnclaveErrorMapping {
    /// One row: what the API answers and what becomes of a job.
    public struct Row: Equatable, Sendable {
        /// Answer of the API.
        public let rest: RESTFailure
        /// Result of the job.
        public let job: JobFailure
    }

    /// Answer of the API.
    public static func rest(_ error: EnclaveCallError, during operation: EnclaveOperation) -> RESTFailure {
        row(error, during: operation).rest
    }

    /// Result of the job.
    public static func job(_ error: EnclaveCallError, during operation: EnclaveOperation) -> JobFailure {
        row(error, during: operation).job
    }

    /// The row for `error`.
    public static func row(_ error: EnclaveCallError, during operation: EnclaveOperation) -> Row {
        switch error {
        case .unreachable, .timedOut, .cancelled: unavailable
        case .notConfigured, .evidenceMalformed:
            Row(
                rest: RESTFailure(500, "security_runtime_error"), job: JobFailure(.deferred, "ENCLAVE_UNAVAILABLE"))
        case .evidenceRefused: Row(rest: notAuthorized, job: JobFailure(.deferred, "ENCLAVE_NOT_TRUSTED"))
        case .answerInvalid: decryptFailed
        case .failed(let failure): row(failure, during: operation)
        }
    }

    private static func row(_ failure: EnclaveFailure, during operation: EnclaveOperation) -> Row {
        switch failure.code {
        case .timedOut, .cancelled, .overloaded, .draining, .sessionRequired, .challengeRefused: unavailable

        case .sealedDataRejected:
            Row(rest: notAuthorized, job: JobFailure(.permanent, "CONNECTOR_DECRYPT_NOT_AUTHORIZED"))
        case .recordRolledBack:
            Row(rest: notAuthorized, job: JobFailure(.transient, "CONNECTOR_RECORD_ROLLED_BACK", alert: true))
        case .keyPolicyMismatch, .roleNotAllowed:
            Row(rest: notAuthorized, job: JobFailure(.deferred, "ENCLAVE_MISCONFIGURED", alert: true))

        case .recordMissing: Row(rest: tokenUnavailable, job: JobFailure(.permanent, "CONNECTOR_TOKEN_MISSING"))
        case .recordConflict: Row(rest: tokenUnavailable, job: JobFailure(.transient, "CONNECTOR_TOKEN_MISSING"))

        case .reconnectRequired: Row(rest: notActive, job: JobFailure(.skip, "connector_reconnect_required"))
        case .recordRevoked: Row(rest: notActive, job: JobFailure(.skip, "connector_not_active"))

        case .recordPortFailed, .keyStoreFailed: decryptFailed
        case .recordRefused: Row(rest: RESTFailure(403, "account_deleted"), job: JobFailure(.skip, "account_deleted"))
        case .malformedRequest, .unknownMethod, .internalFailure, .parameterRefused:
            Row(rest: RESTFailure(500, "internal_error"), job: JobFailure(.permanent, "ENCLAVE_REQUEST_REFUSED"))

        case .redirectURIMismatch: connect(400, "oauth_config_error")
        case .codeRejected: connect(400, "invalid_oauth_code")
        case .consentDenied: connect(400, "oauth_consent_denied")
        case .refreshTokenMissing: connect(400, "missing_refresh_token")
        case .scopesInsufficient: connect(400, "insufficient_scopes")
        case .replacedTokenNotRevoked: connect(502, "oauth_revoke_unavailable")

        case .providerUnavailable, .providerFailed, .providerResponseInvalid: provider(failure, during: operation)
        }
    }

    // MARK: Google

    private static func provider(_ failure: EnclaveFailure, during operation: EnclaveOperation) -> Row {
        let codes = ProviderCodes(operation)
        let wait = failure.retryAfterSeconds.map(Int.init)
        switch failure.code {
        case .providerUnavailable:
            return Row(
                rest: RESTFailure(502, codes.restUnavailable),
                job: JobFailure(.transient, codes.jobUnavailable, retryAfterSeconds: wait))
        case .providerResponseInvalid:
            return Row(
                rest: RESTFailure(502, codes.restInvalid),
                job: JobFailure(.transient, codes.jobInvalid, retryAfterSeconds: wait))
        default:
            let kind: JobFailure.Class = isWorthRepeating(failure.providerStatus) ? .transient : .permanent
            return Row(
                rest: RESTFailure(502, codes.restFailed),
                job: JobFailure(kind, codes.jobFailed, retryAfterSeconds: wait))
        }
    }

    /// Whether an HTTP status of a provider may be another one next time.
    public static func isWorthRepeating(_ status: UInt16?) -> Bool {
        switch status {
        case 408, 425, 429, 500, 502, 503, 504: true
        default: false
        }
    }

    // MARK: Rows used more than once

    private static let unavailable = Row(
        rest: RESTFailure(503, "security_runtime_error", retryAfterSeconds: 5),
        job: JobFailure(.deferred, "ENCLAVE_UNAVAILABLE"))
    private static let decryptFailed = Row(
        rest: RESTFailure(500, "internal_error"), job: JobFailure(.transient, "CONNECTOR_TOKEN_DECRYPT_FAILED"))
    private static let notAuthorized = RESTFailure(403, "decrypt_not_authorized")
    private static let tokenUnavailable = RESTFailure(400, "connector_token_unavailable")
    private static let notActive = RESTFailure(400, "google_connector_not_active")

    /// Failures that only the connect flow of the API can meet.
    private static func connect(_ status: Int, _ code: String) -> Row {
        Row(rest: RESTFailure(status, code), job: JobFailure(.permanent, code.uppercased()))
    }
}

/// Codes of Google's three kinds of failure for one operation.
private struct ProviderCodes {
    let restUnavailable, restFailed, restInvalid: String
    let jobUnavailable, jobFailed, jobInvalid: String

    init(_ operation: EnclaveOperation) {
        switch operation {
        case .refresh, .data:
            self.init(
                rest: (
                    "google_token_refresh_unavailable", "google_token_refresh_failed", "google_token_refresh_failed"
                ),
                job: (
                    "GOOGLE_TOKEN_REFRESH_UNAVAILABLE", "GOOGLE_TOKEN_REFRESH_FAILED",
                    "GOOGLE_TOKEN_REFRESH_PARSE_FAILED"
                ))
        case .connect:
            self.init(
                rest: ("oauth_unavailable", "oauth_token_exchange_failed", "oauth_invalid_response"),
                job: ("OAUTH_UNAVAILABLE", "OAUTH_TOKEN_EXCHANGE_FAILED", "OAUTH_INVALID_RESPONSE"))
        case .revoke:
            self.init(
                rest: ("oauth_revoke_unavailable", "oauth_revoke_failed", "oauth_revoke_failed"),
                job: ("OAUTH_REVOKE_UNAVAILABLE", "OAUTH_REVOKE_FAILED", "OAUTH_REVOKE_FAILED"))
        case .calendar:
            self.init(
                rest: ("google_calendar_unavailable", "google_calendar_failed", "google_calendar_invalid_response"),
                job: ("GOOGLE_CALENDAR_UNAVAILABLE", "GOOGLE_CALENDAR_FAILED", "GOOGLE_CALENDAR_PARSE_FAILED"))
        case .gmailList: self.init(gmail: "GMAIL_MESSAGES")
        case .gmailMessage: self.init(gmail: "GMAIL_MESSAGE")
        }
    }

    /// Jobs only; the API never reads mail, so its codes are the general ones.
    private init(gmail prefix: String) {
        self.init(
            rest: ("internal_error", "internal_error", "internal_error"),
            job: ("GMAIL_UNAVAILABLE", "\(prefix)_FAILED", "\(prefix)_PARSE_FAILED"))
    }

    private init(rest: (String, String, String), job: (String, String, String)) {
        (restUnavailable, restFailed, restInvalid) = rest
        (jobUnavailable, jobFailed, jobInvalid) = job
    }
}
