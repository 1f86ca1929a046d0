/// What proves this enclave's identity: the local shim, or the Nitro secure module.
public protocol EvidenceSource: Sendable {
    /// Runtime to state.
    var runtime: String { get }
    /// Measurement to state.
    var measurement: String { get }
    /// Public half of the key that signs evidence; nil where evidence stays unsigned.
    var signingKey: [UInt8]? { get }
    /// Ed25519 signature over `bytes`, or nil where evidence stays unsigned.
    func sign(_ bytes: [UInt8]) -> [UInt8]?
    /// An attestation document of the secure module that commits to `nonce` and `userData`; nil where there is none.
    func attestationDocument(nonce: [UInt8], userData: [UInt8]) throws(EvidenceError) -> [UInt8]?
}

/// Why there is no evidence.
public enum EvidenceError: Error, Equatable, Sendable {
    /// The secure module did not answer.
    case moduleUnavailable
}
