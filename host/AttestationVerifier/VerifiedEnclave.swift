internal import EnclaveProtocol

/// An enclave whose evidence satisfied a policy; only `Verifier` makes one.
public struct VerifiedEnclave: Equatable, Sendable {
    /// X25519 key of the enclave: the responder key of the handshake that may follow.
    public let sessionKey: [UInt8]
    /// Name of the matching allow-list entry, else the measurement; `unenforced` where the policy requires nothing.
    public let identity: String
    /// Measurement as stated in the evidence.
    public let measurement: String
    /// Runtime as stated in the evidence.
    public let runtime: String
    /// Clock of the enclave, unix seconds.
    public let evidenceIssuedAt: UInt64
    /// What the challenge was for; a session needs `session`.
    public let purpose: String
    /// What vouches for the evidence.
    public let proof: Proof

    /// What vouches for evidence.
    public enum Proof: Equatable, Sendable {
        /// The signature of a configured key, besides a Nitro document where there is one.
        case configuredKey
        /// A Nitro document, and the signature of the key that the evidence states.
        case nitroDocument
        /// Nothing: the policy demands no signature.
        case nothing
    }

    /// Identity where nothing is required of the evidence.
    public static let unenforcedIdentity = "unenforced"

    init(_ evidence: Evidence, identity: String, proof: Proof) {
        sessionKey = evidence.sessionKey
        self.identity = identity
        self.proof = proof
        measurement = evidence.measurement
        runtime = evidence.runtime
        evidenceIssuedAt = evidence.issuedAt
        purpose = evidence.challenge.purpose
    }
}
