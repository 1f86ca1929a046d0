public import Sodium

/// What proves this enclave's identity: the local shim, or the Nitro secure module.
public protocol EvidenceSource: Sendable {
    /// Runtime to state.
    var runtime: String { get }
    /// Measurement to state.
    var measurement: String { get }
    /// The key that signs evidence now; nil where evidence stays unsigned.
    var signer: EvidenceSigner? { get }
    /// Called when the secrets of the configuration are open.
    func open()
    /// An attestation document of the secure module that commits to `nonce` and `userData`; nil where there is none.
    func attestationDocument(nonce: [UInt8], userData: [UInt8]) throws(EvidenceError) -> [UInt8]?
}

extension EvidenceSource {
    public func open() {}
}

/// Why there is no evidence.
public enum EvidenceError: Error, Equatable, Sendable {
    /// The secure module did not answer.
    case moduleUnavailable
}

/// An Ed25519 key that signs evidence.
public final class EvidenceSigner: Sendable {
    private let key: Ed25519.SigningKey

    /// Takes over `key`.
    public init(_ key: consuming Ed25519.SigningKey) { self.key = key }

    /// The key whose seed a secret holds as base64; nil when it is not base64 of 32 bytes.
    public convenience init?(seed: Secret) {
        let decoded = unsafe seed.withUnsafeBytes { unsafe Base64.decodeSecret($0) }
        guard let decoded, let key = Ed25519.SigningKey(seed: decoded) else { return nil }
        self.init(key)
    }

    /// Public half, 32 bytes.
    public var publicKey: [UInt8] { key.publicKey }

    /// Signature over `bytes`.
    public func sign(_ bytes: [UInt8]) -> [UInt8] { key.sign(bytes) }
}
