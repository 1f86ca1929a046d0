/// Why evidence is not accepted; the names appear in logs, metrics and the operator's command.
public enum AttestationReason: String, CaseIterable, Error, Sendable {
    case invalidAttestationDocument = "InvalidAttestationDocument"

    case challengeNonceMismatch = "ChallengeNonceMismatch"
    case challengeRequestIDMismatch = "ChallengeRequestIdMismatch"
    case challengePurposeMismatch = "ChallengePurposeMismatch"
    case invalidChallengeWindow = "InvalidChallengeWindow"

    case challengeExpired = "ChallengeExpired"
    case evidenceNotBoundToChallengeWindow = "EvidenceNotBoundToChallengeWindow"
    case staleAttestation = "StaleAttestation"

    case runtimeMismatch = "RuntimeMismatch"

    case missingNitroDocument = "MissingNitroDocument"
    case nitroDocumentInvalid = "NitroDocumentInvalid"
    case certificateChainInvalid = "CertificateChainInvalid"
    case evidenceKeyMismatch = "EvidenceKeyMismatch"
    case debugEnclaveRefused = "DebugEnclaveRefused"

    case measurementNotAllowed = "MeasurementNotAllowed"
    case kmsPolicyDenied = "KmsPolicyDenied"

    case missingAttestationPublicKey = "MissingAttestationPublicKey"
    case invalidAttestationPublicKey = "InvalidAttestationPublicKey"
    case missingAttestationSignature = "MissingAttestationSignature"
    case invalidAttestationSignature = "InvalidAttestationSignature"

    case challengeReplayDetected = "ChallengeReplayDetected"

    /// Whether the evidence cannot be judged (malformed, or verification not configured), rather than refused by policy.
    public var isMalformed: Bool {
        switch self {
        case .invalidAttestationDocument, .missingAttestationPublicKey, .invalidAttestationPublicKey,
            .missingAttestationSignature:
            true
        default: false
        }
    }
}

/// Evidence that is not accepted: the reason, and what was expected and found where that can be shown.
public struct AttestationRefusal: Error, Equatable, Sendable {
    /// Why.
    public let reason: AttestationReason
    /// What the verifier wanted; printable ASCII, no secret.
    public let expected: String?
    /// What the evidence holds; printable ASCII, at most 256 characters.
    public let found: String?
    /// Where in a Nitro document: `cabundle[2]`, `nonce` and the like.
    public let place: String?
    /// Index of the register (PCR) that is at fault.
    public let register: Int?
    /// What is wrong with a Nitro document by itself.
    public let nitroFault: NitroFault?

    init(
        _ reason: AttestationReason, expected: String? = nil, found: String? = nil, place: String? = nil,
        register: Int? = nil
    ) {
        self.reason = reason
        self.expected = expected.map(printable)
        self.found = found.map(printable)
        self.place = place ?? register.map { "PCR\($0)" }
        self.register = register
        nitroFault = nil
    }

    init(_ refusal: NitroRefusal) {
        reason = refusal.fault.concernsChain ? .certificateChainInvalid : .nitroDocumentInvalid
        expected = refusal.expected
        found = refusal.found
        place = refusal.place
        register = nil
        nitroFault = refusal.fault
    }
}

/// Text of a peer made fit for terminals and logs: printable ASCII, at most 256 characters.
func printable(_ text: String) -> String {
    String(text.unicodeScalars.prefix(256).map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" })
}
