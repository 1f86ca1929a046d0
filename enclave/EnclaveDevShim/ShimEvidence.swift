public import EnclaveRuntime
internal import Sodium

/// Local evidence: an identity that is merely stated, signed with an Ed25519 key from a file, or not at all.
public struct ShimEvidence: EvidenceSource {
    private final class Signer: Sendable {
        let key: Ed25519.SigningKey
        init(_ key: consuming Ed25519.SigningKey) { self.key = key }
    }

    public let runtime: String
    public let measurement: String
    private let signer: Signer?

    /// Evidence for an identity; throws when `seed` is no base64 of 32 bytes.
    public init(identity: ShimIdentity, seed: Secret?) throws(ConfigurationViolation) {
        runtime = identity.runtime
        measurement = identity.measurement
        guard let seed else {
            signer = nil
            return
        }
        let decoded = unsafe seed.withUnsafeBytes { unsafe Base64.decodeSecret($0) }
        guard let decoded, let key = Ed25519.SigningKey(seed: decoded) else {
            throw ConfigurationViolation("TEE_ATTESTATION_SIGNING_PRIVATE_KEY", "must be base64 of 32 bytes")
        }
        signer = Signer(key)
    }

    public var signingKey: [UInt8]? { signer?.key.publicKey }

    public func sign(_ bytes: [UInt8]) -> [UInt8]? { signer?.key.sign(bytes) }

    public func attestationDocument(nonce: [UInt8], userData: [UInt8]) throws(EvidenceError) -> [UInt8]? { nil }
}
