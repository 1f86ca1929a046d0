import AttestationVerifier
import EnclaveProtocol
import Sodium
import Testing

/// Makes the folders of software evidence: one accepted statement, and variants that each break one check.
///
/// The signing seed is 32 bytes of 7, known to everyone; signatures of Ed25519 have no randomness, so the files never change.
struct GeneratedCase {
    let name: String
    let files: [String: [UInt8]]
    let expected: ExpectedVerdict

    static let now: UInt64 = 1_764_057_600
    private static let measurement = "dev-local-enclave"

    /// One case on its way: what is asked, stated, signed and demanded.
    private struct Draft {
        var challenge = Challenge(
            nonce: (0..<32).map { UInt8($0) }, issuedAt: now, expiresAt: now + 300, purpose: "session",
            requestID: "3f1d7c52-8a86-4c0e-9a51-0c6e5f1f2a10")
        var echo: Challenge?
        var runtime = "dev-shim"
        var environment = "local"
        var measurement = GeneratedCase.measurement
        var issuedAt = now + 1
        var statedSeed: UInt8 = 7
        var signingSeed: UInt8? = 7
        var nsmDocument: [UInt8]?
        var bytes: ([UInt8]) -> [UInt8] = { $0 }
        var judgedAt = now + 2
        var outstanding = true
        var policy = AttestationPolicy(
            expectedRuntime: "dev-shim", environment: "local",
            allowedMeasurements: [AcceptedMeasurement(name: "laptop", GeneratedCase.measurement)],
            kmsAllowedMeasurements: [AcceptedMeasurement(GeneratedCase.measurement)], publicKeys: [publicKey(7)],
            maximumAgeSeconds: 300)
    }

    private static func key(_ seed: UInt8) -> Ed25519.SigningKey? {
        Ed25519.SigningKey(seed: SecretBytes(copying: [UInt8](repeating: seed, count: 32)))
    }

    private static func publicKey(_ seed: UInt8) -> [UInt8] { key(seed)?.publicKey ?? [] }

    private static func make(_ name: String, expected: [UInt8], _ change: (inout Draft) -> Void) throws -> Self {
        var draft = Draft()
        change(&draft)
        let evidence = draft.bytes(
            Evidence(
                runtime: draft.runtime, environment: draft.environment, measurement: draft.measurement,
                challenge: draft.echo ?? draft.challenge, issuedAt: draft.issuedAt,
                random: [UInt8](repeating: 0xa5, count: 32), sessionKey: [UInt8](repeating: 9, count: 32),
                signingKey: publicKey(draft.statedSeed)
            ).encoded())
        let answer = ChallengeAnswer(
            evidence: evidence, signature: draft.signingSeed.flatMap { key($0)?.sign(evidence) },
            nsmDocument: draft.nsmDocument)
        let files = Recording.files(
            answer, to: draft.challenge, by: draft.policy, now: draft.judgedAt, outstanding: draft.outstanding)
        return GeneratedCase(
            name: name,
            files: [
                "challenge.json": files.challenge, "answer.json": files.answer, "policy.json": files.policy,
                "expected.json": expected,
            ],
            expected: try ExpectedVerdict(json: expected))
    }

    private static func accepts(
        _ name: String, as identity: String = "laptop", _ change: (inout Draft) -> Void = { _ in }
    ) throws -> Self {
        try make("ed25519-accept-\(name)", expected: Recording.accepting(identity: identity), change)
    }

    private static func refuses(
        _ name: String, _ reason: AttestationReason, at check: VerificationCheck, _ change: (inout Draft) -> Void
    ) throws -> Self {
        try make("ed25519-refuse-\(name)", expected: Recording.refusing(reason, at: check), change)
    }

    static func all() throws -> [GeneratedCase] {
        try accepted() + encodingAndChallenge() + freshness() + policy() + signature()
    }

    private static func accepted() throws -> [GeneratedCase] {
        [
            try accepts("named-entry"),
            try accepts("unnamed-entry", as: measurement) {
                $0.policy.allowedMeasurements = [AcceptedMeasurement(measurement)]
            },
            try accepts("runtime-in-other-case") { $0.runtime = "DEV-SHIM" },
            try accepts("second-key-of-rotation") { $0.policy.publicKeys = [publicKey(8), publicKey(7)] },
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
        let echo = Draft().challenge
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
                $0.nsmDocument = [0x84, 0x44]
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
