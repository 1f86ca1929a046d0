import AttestationVerifier
import EnclaveProtocol

/// Software evidence: one accepted statement, and variants that each break one check.
enum Ed25519Cases {
    private static let now = CaseDraft.now

    private static func accepts(
        _ name: String, as identity: String = "laptop", _ change: (inout CaseDraft) -> Void = { _ in }
    ) throws -> GeneratedCase {
        var draft = CaseDraft()
        change(&draft)
        return draft.made("ed25519-accept-\(name)", expected: Recording.accepting(identity: identity))
    }

    private static func refuses(
        _ name: String, _ reason: AttestationReason, at check: VerificationCheck, _ change: (inout CaseDraft) -> Void
    ) throws -> GeneratedCase {
        var draft = CaseDraft()
        change(&draft)
        return draft.made("ed25519-refuse-\(name)", expected: Recording.refusing(reason, at: check))
    }

    static func all() throws -> [GeneratedCase] {
        try accepted() + encodingAndChallenge() + freshness() + policy() + signature()
    }

    private static func accepted() throws -> [GeneratedCase] {
        [
            try accepts("named-entry"),
            try accepts("unnamed-entry", as: "dev-local-enclave") {
                $0.policy.allowedMeasurements = [AcceptedMeasurement("dev-local-enclave")]
            },
            try accepts("runtime-in-other-case") { $0.runtime = "DEV-SHIM" },
            try accepts("second-key-of-rotation") {
                $0.policy.publicKeys = [CaseDraft.publicKey(8), CaseDraft.publicKey(7)]
            },
            try accepts("unsigned-by-insecure-policy") {
                $0.signingSeed = nil
                $0.policy.allowsUnsigned = true
            },
            try accepts("unenforced", as: "unenforced") {
                $0.policy.isRequired = false
                $0.measurement = "anything"
                $0.signingSeed = nil
            },
        ]
    }

    private static func encodingAndChallenge() throws -> [GeneratedCase] {
        let echo = CaseDraft().challenge
        func other(nonce: [UInt8]? = nil, expiresAt: UInt64? = nil, purpose: String? = nil, id: String? = nil)
            -> Challenge
        {
            Challenge(
                nonce: nonce ?? echo.nonce, issuedAt: echo.issuedAt, expiresAt: expiresAt ?? echo.expiresAt,
                purpose: purpose ?? echo.purpose, requestID: id ?? echo.requestID)
        }
        return [
            try refuses("trailing-byte", .invalidAttestationDocument, at: .encoding) { $0.bytes = { $0 + [0] } },
            try refuses("truncated", .invalidAttestationDocument, at: .encoding) { $0.bytes = { $0.dropLast() } },
            try refuses("other-label", .invalidAttestationDocument, at: .encoding) {
                // "alfred-evidence/1" becomes "…/2": a statement of another kind, however well signed.
                $0.bytes = { bytes in
                    var bytes = bytes
                    bytes[18] = UInt8(ascii: "2")
                    return bytes
                }
            },
            try refuses("nonce", .challengeNonceMismatch, at: .challenge) {
                $0.echo = other(nonce: [UInt8](repeating: 1, count: 32))
            },
            try refuses("request-id", .challengeRequestIDMismatch, at: .challenge) { $0.echo = other(id: "another") },
            try refuses("purpose", .challengePurposeMismatch, at: .challenge) { $0.echo = other(purpose: "relay") },
            try refuses("window", .invalidChallengeWindow, at: .challenge) { $0.echo = other(expiresAt: now + 301) },
        ]
    }

    private static func freshness() throws -> [GeneratedCase] {
        [
            try refuses("expired", .challengeExpired, at: .freshness) { $0.judgedAt = now + 301 },
            try refuses("before-window", .evidenceNotBoundToChallengeWindow, at: .freshness) { $0.issuedAt = now - 31 },
            try refuses("after-window", .evidenceNotBoundToChallengeWindow, at: .freshness) { $0.issuedAt = now + 331 },
            try refuses("stale", .staleAttestation, at: .freshness) {
                $0.policy.maximumAgeSeconds = 60
                $0.judgedAt = now + 92
            },
        ]
    }

    private static func policy() throws -> [GeneratedCase] {
        [
            try refuses("runtime", .runtimeMismatch, at: .runtime) { $0.runtime = "nitro" },
            try refuses("environment", .runtimeMismatch, at: .runtime) { $0.environment = "production" },
            try refuses("software-outside-local", .missingNitroDocument, at: .nitroDocument) {
                $0.runtime = "nitro"
                $0.environment = "production"
                $0.policy.expectedRuntime = "nitro"
                $0.policy.environment = "production"
            },
            try refuses("unreadable-nitro-document", .nitroDocumentInvalid, at: .nitroDocument) {
                $0.document = { _, _ in [0x84, 0x44] }
            },
            try refuses("measurement", .measurementNotAllowed, at: .measurement) { $0.measurement = "another" },
            try refuses("measurement-for-kms", .kmsPolicyDenied, at: .measurement) {
                $0.policy.kmsAllowedMeasurements = [AcceptedMeasurement("another")]
            },
        ]
    }

    private static func signature() throws -> [GeneratedCase] {
        [
            try refuses("no-configured-key", .missingAttestationPublicKey, at: .signature) {
                $0.policy.publicKeys = []
            },
            try refuses("short-configured-key", .invalidAttestationPublicKey, at: .signature) {
                $0.policy.publicKeys = [[1, 2, 3]]
            },
            try refuses("no-signature", .missingAttestationSignature, at: .signature) { $0.signingSeed = nil },
            try refuses("foreign-signature", .invalidAttestationSignature, at: .signature) { $0.signingSeed = 8 },
            try refuses("foreign-stated-key", .invalidAttestationSignature, at: .signature) { $0.statedSeed = 8 },
            try refuses("answered-before", .challengeReplayDetected, at: .replay) { $0.outstanding = false },
        ]
    }
}
