import AttestationVerifier
import EnclaveProtocol
import Sodium

/// An enclave of the tests: states what it is told and signs it with a real key.
struct TestEnclave {
    var runtime = "dev-shim"
    var environment = "local"
    var measurement = "dev-local-enclave"
    var issuedAt: UInt64 = 1_000_100
    var statedKey: [UInt8]?
    var echo: (Challenge) -> Challenge = { $0 }
    var nsmDocument: [UInt8]?
    var signs = true

    static let seed: UInt8 = 7

    static func key(_ seed: UInt8 = seed) -> Ed25519.SigningKey? {
        Ed25519.SigningKey(seed: SecretBytes(copying: [UInt8](repeating: seed, count: 32)))
    }

    static var publicKey: [UInt8] { key()?.publicKey ?? [] }

    func answer(to challenge: Challenge) -> ChallengeAnswer {
        let evidence = Evidence(
            runtime: runtime, environment: environment, measurement: measurement, challenge: echo(challenge),
            issuedAt: issuedAt, random: [UInt8](repeating: 1, count: 32), sessionKey: [UInt8](repeating: 9, count: 32),
            signingKey: statedKey ?? Self.publicKey
        ).encoded()
        return ChallengeAnswer(
            evidence: evidence, signature: signs ? Self.key()?.sign(evidence) : nil, nsmDocument: nsmDocument)
    }
}

extension AttestationPolicy {
    static var local: AttestationPolicy {
        AttestationPolicy(
            expectedRuntime: "dev-shim", environment: "local",
            allowedMeasurements: [AcceptedMeasurement(name: "laptop", "dev-local-enclave")],
            publicKeys: [TestEnclave.publicKey], maximumAgeSeconds: 300)
    }
}

extension Challenge {
    func with(
        nonce: [UInt8]? = nil, issuedAt: UInt64? = nil, expiresAt: UInt64? = nil, purpose: String? = nil,
        requestID: String? = nil
    ) -> Challenge {
        Challenge(
            nonce: nonce ?? self.nonce, issuedAt: issuedAt ?? self.issuedAt, expiresAt: expiresAt ?? self.expiresAt,
            purpose: purpose ?? self.purpose, requestID: requestID ?? self.requestID)
    }
}
