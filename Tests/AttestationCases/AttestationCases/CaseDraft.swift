import AttestationVerifier
import EnclaveProtocol
import SimulatedNitro
import Sodium

/// One case on its way: what is asked, stated, signed and demanded.
///
/// The signing seed is 32 bytes of 7, known to everyone; signatures of Ed25519 have no randomness, so the files never
/// change; those of the simulated secure module have none either.
struct CaseDraft {
    static let now: UInt64 = 1_764_057_600

    var challenge = Challenge(
        nonce: (0..<32).map { UInt8($0) }, issuedAt: now, expiresAt: now + 300, purpose: "session",
        requestID: "3f1d7c52-8a86-4c0e-9a51-0c6e5f1f2a10")
    /// The challenge that the evidence repeats, where it is another.
    var echo: Challenge?
    var runtime = "dev-shim"
    var environment = "local"
    var measurement = "dev-local-enclave"
    /// The measurement that the evidence states, where it is not that of the document.
    var statedMeasurement: String?
    var issuedAt = now + 1
    var statedSeed: UInt8 = 7
    var signingSeed: UInt8? = 7
    /// Makes the document for the evidence and the nonce.
    var document: ((_ evidence: [UInt8], _ nonce: [UInt8]) -> [UInt8])?
    /// The document is made and not sent.
    var withholdsDocument = false
    /// Last word on the bytes of the evidence, before they are signed.
    var bytes: ([UInt8]) -> [UInt8] = { $0 }
    var judgedAt = now + 2
    var outstanding = true
    var policy = AttestationPolicy(
        expectedRuntime: "dev-shim", environment: "local",
        allowedMeasurements: [AcceptedMeasurement(name: "laptop", "dev-local-enclave")],
        kmsAllowedMeasurements: [AcceptedMeasurement("dev-local-enclave")], publicKeys: [publicKey(7)],
        maximumAgeSeconds: 300)

    static func key(_ seed: UInt8) -> Ed25519.SigningKey? {
        Ed25519.SigningKey(seed: SecretBytes(copying: [UInt8](repeating: seed, count: 32)))
    }

    static func publicKey(_ seed: UInt8) -> [UInt8] { key(seed)?.publicKey ?? [] }

    /// What the enclave answers.
    func answer() -> ChallengeAnswer {
        let evidence = bytes(
            Evidence(
                runtime: runtime, environment: environment, measurement: statedMeasurement ?? measurement,
                challenge: echo ?? challenge,
                issuedAt: issuedAt, random: [UInt8](repeating: 0xa5, count: 32),
                sessionKey: [UInt8](repeating: 9, count: 32), signingKey: Self.publicKey(statedSeed)
            ).encoded())
        return ChallengeAnswer(
            evidence: evidence, signature: signingSeed.flatMap { Self.key($0)?.sign(evidence) },
            nsmDocument: withholdsDocument ? nil : document?(evidence, challenge.nonce))
    }

    /// The folder of this case, which demands what `expected.json` says.
    func made(_ name: String, expected: [UInt8]) -> GeneratedCase {
        let files = Recording.files(answer(), to: challenge, by: policy, now: judgedAt, outstanding: outstanding)
        return GeneratedCase(
            name: name,
            files: [
                "challenge.json": files.challenge, "answer.json": files.answer, "policy.json": files.policy,
                "expected.json": expected,
            ])
    }
}
