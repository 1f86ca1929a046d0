/// The closed list of reasons why the enclave, or a callback, refuses; numbers are never reused (WIRE.md, "Errors").
public enum EnclaveErrorCode: UInt16, CaseIterable, Error, Sendable {
    // Transport and admission.
    case malformedRequest = 1
    case unknownMethod = 2
    case sessionRequired = 3
    case roleNotAllowed = 4
    case overloaded = 5
    case draining = 6
    case timedOut = 7
    case cancelled = 8
    case challengeRefused = 9
    case internalFailure = 10

    // Vault.
    case sealedDataRejected = 20
    case recordRolledBack = 21
    case keyPolicyMismatch = 22
    case recordMissing = 23
    case recordConflict = 24
    case recordRevoked = 25
    case recordPortFailed = 26
    case keyStoreFailed = 27
    case recordRefused = 28

    // Google.
    case reconnectRequired = 40
    case providerUnavailable = 41
    case providerFailed = 42
    case providerResponseInvalid = 43
    case parameterRefused = 44
    case redirectURIMismatch = 45
    case codeRejected = 46
    case consentDenied = 47
    case refreshTokenMissing = 48
    case scopesInsufficient = 49
    case replacedTokenNotRevoked = 50

    /// The name in logs, metrics and documents.
    public var name: String {
        switch self {
        case .malformedRequest: "malformed_request"
        case .unknownMethod: "unknown_method"
        case .sessionRequired: "session_required"
        case .roleNotAllowed: "role_not_allowed"
        case .overloaded: "overloaded"
        case .draining: "draining"
        case .timedOut: "timeout"
        case .cancelled: "cancelled"
        case .challengeRefused: "challenge_refused"
        case .internalFailure: "internal_failure"
        case .sealedDataRejected: "sealed_data_rejected"
        case .recordRolledBack: "record_rolled_back"
        case .keyPolicyMismatch: "key_policy_mismatch"
        case .recordMissing: "record_missing"
        case .recordConflict: "record_conflict"
        case .recordRevoked: "record_revoked"
        case .recordPortFailed: "record_port_failed"
        case .keyStoreFailed: "key_store_failed"
        case .recordRefused: "record_refused"
        case .reconnectRequired: "reconnect_required"
        case .providerUnavailable: "provider_unavailable"
        case .providerFailed: "provider_failed"
        case .providerResponseInvalid: "provider_response_invalid"
        case .parameterRefused: "parameter_refused"
        case .redirectURIMismatch: "redirect_uri_mismatch"
        case .codeRejected: "code_rejected"
        case .consentDenied: "consent_denied"
        case .refreshTokenMissing: "refresh_token_missing"
        case .scopesInsufficient: "scopes_insufficient"
        case .replacedTokenNotRevoked: "replaced_token_not_revoked"
        }
    }
}

/// One refusal as it crosses the wire: a code, and for provider errors the status and the wait the provider asked for.
public struct EnclaveFailure: Error, Equatable, Sendable {
    /// Why.
    public let code: EnclaveErrorCode
    /// HTTP status of the provider, with `.providerFailed` and `.providerUnavailable` only.
    public let providerStatus: UInt16?
    /// Seconds the provider asked to wait, at most 86,400.
    public let retryAfterSeconds: UInt32?

    /// A refusal; the two details stay nil unless a provider answered.
    public init(_ code: EnclaveErrorCode, providerStatus: UInt16? = nil, retryAfterSeconds: UInt32? = nil) {
        self.code = code
        self.providerStatus = providerStatus
        self.retryAfterSeconds = retryAfterSeconds
    }
}

extension EnclaveFailure: WireMessage {
    public func write(to writer: inout CBORWriter) {
        writer.tuple(code.rawValue, providerStatus, retryAfterSeconds)
    }

    public init(from reader: inout CBORReader) throws(CBORError) {
        try reader.array(exactly: 3)
        guard let code = EnclaveErrorCode(rawValue: UInt16(try reader.unsigned(in: 0...0xFFFF))) else {
            throw .outOfRange
        }
        let status = reader.null() ? nil : UInt16(try reader.unsigned(in: 100...999))
        let wait = reader.null() ? nil : UInt32(try reader.unsigned(in: 0...86_400))
        reader.end()
        self.init(code, providerStatus: status, retryAfterSeconds: wait)
    }
}
