public import EnclaveRuntime
/// Local evidence: an identity that is merely stated, signed with an Ed25519 key from a file, or not at all.
public struct ShimEvidence: EvidenceSource {
    public let runtime: String
    public let measurement: String
    public let signer: EvidenceSigner?

    /// Evidence for an identity; throws when `seed` is no base64 of 32 bytes.
    public init(identity: ShimIdentity, seed: ConfiguredSecret?) throws(ConfigurationViolation) {
        runtime = identity.runtime
        measurement = identity.measurement
        guard let seed = seed?.current else {
            signer = nil
            return
        }
        guard let signer = EvidenceSigner(seed: seed) else {
            throw ConfigurationViolation("TEE_ATTESTATION_SIGNING_PRIVATE_KEY", "must be base64 of 32 bytes")
        }
        self.signer = signer
    }

    public func attestationDocument(nonce: [UInt8], userData: [UInt8]) throws(EvidenceError) -> [UInt8]? { nil }
}
