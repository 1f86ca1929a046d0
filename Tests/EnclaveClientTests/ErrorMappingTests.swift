import AttestationVerifier
import EnclaveClient
import EnclaveProtocol
import Testing

/// One line of the table as the documents have it.
struct MappingRow: Sendable, CustomTestStringConvertible {
    let error: EnclaveCallError
    var during: EnclaveOperation = .refresh
    let status: Int
    let rest: String
    let kind: JobFailure.Class
    let job: String
    var alert = false

    var testDescription: String { "\(error.name) during \(during)" }

    static func code(
        _ code: EnclaveErrorCode, _ status: Int, _ rest: String, _ kind: JobFailure.Class, _ job: String,
        alert: Bool = false, during operation: EnclaveOperation = .refresh, provider: UInt16? = nil
    ) -> MappingRow {
        MappingRow(
            error: .failed(EnclaveFailure(code, providerStatus: provider)), during: operation, status: status,
            rest: rest, kind: kind, job: job, alert: alert)
    }

    static let all: [MappingRow] = [
        MappingRow(
            error: .unreachable, status: 503, rest: "security_runtime_error", kind: .deferred,
            job: "ENCLAVE_UNAVAILABLE"),
        MappingRow(
            error: .timedOut, status: 503, rest: "security_runtime_error", kind: .deferred, job: "ENCLAVE_UNAVAILABLE"),
        code(.overloaded, 503, "security_runtime_error", .deferred, "ENCLAVE_UNAVAILABLE"),
        code(.draining, 503, "security_runtime_error", .deferred, "ENCLAVE_UNAVAILABLE"),
        MappingRow(
            error: .notConfigured, status: 500, rest: "security_runtime_error", kind: .deferred,
            job: "ENCLAVE_UNAVAILABLE"),
        MappingRow(
            error: .evidenceMalformed(.missingAttestationSignature), status: 500, rest: "security_runtime_error",
            kind: .deferred, job: "ENCLAVE_UNAVAILABLE"),
        MappingRow(
            error: .evidenceRefused(.measurementNotAllowed), status: 403, rest: "decrypt_not_authorized",
            kind: .deferred, job: "ENCLAVE_NOT_TRUSTED"),
        code(.sealedDataRejected, 403, "decrypt_not_authorized", .permanent, "CONNECTOR_DECRYPT_NOT_AUTHORIZED"),
        code(.recordRolledBack, 403, "decrypt_not_authorized", .transient, "CONNECTOR_RECORD_ROLLED_BACK", alert: true),
        code(.keyPolicyMismatch, 403, "decrypt_not_authorized", .deferred, "ENCLAVE_MISCONFIGURED", alert: true),
        code(.roleNotAllowed, 403, "decrypt_not_authorized", .deferred, "ENCLAVE_MISCONFIGURED", alert: true),
        code(.recordMissing, 400, "connector_token_unavailable", .permanent, "CONNECTOR_TOKEN_MISSING"),
        code(.recordConflict, 400, "connector_token_unavailable", .transient, "CONNECTOR_TOKEN_MISSING"),
        code(.reconnectRequired, 400, "google_connector_not_active", .skip, "connector_reconnect_required"),
        code(.recordRevoked, 400, "google_connector_not_active", .skip, "connector_not_active"),
        code(.recordPortFailed, 500, "internal_error", .transient, "CONNECTOR_TOKEN_DECRYPT_FAILED"),
        code(.keyStoreFailed, 500, "internal_error", .transient, "CONNECTOR_TOKEN_DECRYPT_FAILED"),
        code(
            .providerUnavailable, 502, "google_token_refresh_unavailable", .transient,
            "GOOGLE_TOKEN_REFRESH_UNAVAILABLE"),
        code(
            .providerFailed, 502, "google_token_refresh_failed", .permanent, "GOOGLE_TOKEN_REFRESH_FAILED",
            provider: 403),
        code(
            .providerFailed, 502, "google_token_refresh_failed", .transient, "GOOGLE_TOKEN_REFRESH_FAILED",
            provider: 503),
        code(
            .providerResponseInvalid, 502, "google_token_refresh_failed", .transient,
            "GOOGLE_TOKEN_REFRESH_PARSE_FAILED"),
        code(
            .providerUnavailable, 502, "google_calendar_unavailable", .transient, "GOOGLE_CALENDAR_UNAVAILABLE",
            during: .calendar),
        code(
            .providerFailed, 502, "google_calendar_failed", .permanent, "GOOGLE_CALENDAR_FAILED", during: .calendar,
            provider: 404),
        code(
            .providerResponseInvalid, 502, "google_calendar_invalid_response", .transient,
            "GOOGLE_CALENDAR_PARSE_FAILED", during: .calendar),
        code(.providerUnavailable, 502, "internal_error", .transient, "GMAIL_UNAVAILABLE", during: .gmailList),
        code(.providerFailed, 502, "internal_error", .permanent, "GMAIL_MESSAGES_FAILED", during: .gmailList),
        code(
            .providerResponseInvalid, 502, "internal_error", .transient, "GMAIL_MESSAGES_PARSE_FAILED",
            during: .gmailList),
        code(.providerUnavailable, 502, "internal_error", .transient, "GMAIL_UNAVAILABLE", during: .gmailMessage),
        code(.providerFailed, 502, "internal_error", .permanent, "GMAIL_MESSAGE_FAILED", during: .gmailMessage),
        code(
            .providerResponseInvalid, 502, "internal_error", .transient, "GMAIL_MESSAGE_PARSE_FAILED",
            during: .gmailMessage),
        code(.providerUnavailable, 502, "oauth_unavailable", .transient, "OAUTH_UNAVAILABLE", during: .connect),
        code(.codeRejected, 400, "invalid_oauth_code", .permanent, "INVALID_OAUTH_CODE", during: .connect),
        code(.consentDenied, 400, "oauth_consent_denied", .permanent, "OAUTH_CONSENT_DENIED", during: .connect),
        code(.refreshTokenMissing, 400, "missing_refresh_token", .permanent, "MISSING_REFRESH_TOKEN", during: .connect),
        code(.scopesInsufficient, 400, "insufficient_scopes", .permanent, "INSUFFICIENT_SCOPES", during: .connect),
        code(.redirectURIMismatch, 400, "oauth_config_error", .permanent, "OAUTH_CONFIG_ERROR", during: .connect),
        code(
            .replacedTokenNotRevoked, 502, "oauth_revoke_unavailable", .permanent, "OAUTH_REVOKE_UNAVAILABLE",
            during: .connect),
        code(
            .providerUnavailable, 502, "oauth_revoke_unavailable", .transient, "OAUTH_REVOKE_UNAVAILABLE",
            during: .revoke),
        code(.providerFailed, 502, "oauth_revoke_failed", .permanent, "OAUTH_REVOKE_FAILED", during: .revoke),
    ]
}

@Suite struct ErrorMappingTests {
    @Test(arguments: MappingRow.all) func mapsAsTheTableSays(_ row: MappingRow) {
        let rest = EnclaveErrorMapping.rest(row.error, during: row.during)
        let job = EnclaveErrorMapping.job(row.error, during: row.during)
        #expect(rest.status == row.status)
        #expect(rest.code == row.rest)
        #expect(job.kind == row.kind)
        #expect(job.code == row.job)
        #expect(job.alert == row.alert)
    }

    @Test func everyUnavailableAnswerSaysWhenToComeBack() {
        for code in EnclaveErrorCode.allCases {
            for operation in EnclaveOperation.allCases {
                let rest = EnclaveErrorMapping.rest(.failed(EnclaveFailure(code)), during: operation)
                #expect((rest.status == 503) == (rest.retryAfterSeconds == 5))
            }
        }
    }

    @Test func handsOnTheWaitThatGoogleAskedFor() {
        let failure = EnclaveFailure(.providerUnavailable, providerStatus: 429, retryAfterSeconds: 30)
        #expect(EnclaveErrorMapping.job(.failed(failure), during: .calendar).retryAfterSeconds == 30)
    }

    @Test(arguments: [408, 425, 429, 500, 502, 503, 504] as [UInt16]) func repeatsAfterStatus(_ status: UInt16) {
        #expect(EnclaveErrorMapping.isWorthRepeating(status))
    }

    @Test(arguments: [nil, 200, 400, 401, 403, 404, 501] as [UInt16?]) func doesNotRepeatAfterStatus(_ status: UInt16?)
    {
        #expect(!EnclaveErrorMapping.isWorthRepeating(status))
    }
}
