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

    /// Identity where nothing is required of the evidence.
    public static let unenforcedIdentity = "unenforced"

    init(_ evidence: Evidence, identity: String) {
        sessionKey = evidence.sessionKey
        self.identity = identity
        measurement = evidence.measurement
        runtime = evidence.runtime
        evidenceIssuedAt = evidence.issuedAt
        purpose = evidence.challenge.purpose
    }
}
