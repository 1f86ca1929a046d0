/// The Nitro secure module: what signs this enclave's identity, and what else is asked of it.
///
/// Calls block, at most until the module's own deadline; many threads may call at once.
public protocol SecureModule: Sendable {
    /// A signed attestation document that commits to the three values: 512 bytes at most, 1024 for a key.
    ///
    /// What a document may be used for is told by these values alone: evidence for a peer has the peer's nonce, the
    /// hash of the evidence and no key; a document for KMS has user data `alfred-kms/1`, a random nonce and a fresh key.
    func attest(userData: [UInt8]?, nonce: [UInt8]?, publicKey: [UInt8]?) throws(SecureModuleError) -> [UInt8]

    /// 1 to 256 bytes of the module's own randomness.
    func random() throws(SecureModuleError) -> [UInt8]
}

/// Why the secure module gave nothing that can be used.
public enum SecureModuleError: Error, Equatable, Sendable {
    /// It cannot be opened or connected, or the call failed.
    case unavailable
    /// It did not answer in time, or has not answered earlier calls yet.
    case timedOut
    /// It answered with an error of its own.
    case refused
    /// Its answer is none to this request, too large, cut off, or empty.
    case malformed
    /// The request is larger than the module takes.
    case tooLarge
}
