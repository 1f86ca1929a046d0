public import EnclaveProtocol
public import Sodium

/// A PKCE verifier, opened.
public struct OpenedVerifier: ~Copyable, Sendable {
    /// The verifier's characters.
    public let verifier: SecretBytes
    /// When it was made, in seconds since 1970.
    public let issuedAt: UInt64
    /// SHA-256 of the state it was made for, 32 bytes.
    public let stateHash: [UInt8]
}

extension TokenVault {
    /// Longest verifier, RFC 7636 §4.1.
    private static let maximumVerifierBytes = 128
    /// `issued at u64 ‖ state hash 32` before the verifier.
    private static let verifierOffset = 40

    /// Seals a PKCE verifier, to be kept by the host beside the OAuth state.
    public func sealVerifier(
        _ verifier: borrowing SecretBytes, issuedAt: UInt64, stateHash: [UInt8], user: UserID, state: OAuthStateID,
        port: some RecordPort
    ) throws(VaultError) -> [UInt8] {
        guard stateHash.count == 32, (1...Self.maximumVerifierBytes).contains(verifier.count) else {
            throw .sealedDataRejected
        }
        return try unsafe SecretMemory.withScratch(Self.verifierOffset + verifier.count) {
            plaintext throws(VaultError) in
            unsafe plaintext.storeBytes(of: issuedAt.bigEndian, as: UInt64.self)
            unsafe UnsafeMutableRawBufferPointer(rebasing: plaintext[8...]).copyBytes(from: stateHash)
            unsafe verifier.withUnsafeBytes { verifier in
                unsafe UnsafeMutableRawBufferPointer(rebasing: plaintext[Self.verifierOffset...])
                    .copyMemory(from: verifier)
            }
            return try unsafe seal(
                UnsafeRawBufferPointer(plaintext), context: .verifier(state, of: user), port: port)
        }
    }

    /// Opens a PKCE verifier that was sealed for this user and state.
    public func openVerifier(
        _ sealed: [UInt8], user: UserID, state: OAuthStateID, port: some RecordPort
    ) throws(VaultError) -> OpenedVerifier {
        guard sealed.count <= SealedHeader.overhead + Self.verifierOffset + Self.maximumVerifierBytes else {
            throw .sealedDataRejected
        }
        return try unsafe open(sealed, context: .verifier(state, of: user), port: port) {
            plaintext throws(VaultError) in
            guard plaintext.count > Self.verifierOffset else { throw .sealedDataRejected }
            return unsafe OpenedVerifier(
                verifier: SecretBytes(
                    copying: UnsafeRawBufferPointer(rebasing: plaintext[Self.verifierOffset...])),
                issuedAt: UInt64(bigEndian: plaintext.loadUnaligned(as: UInt64.self)),
                stateHash: Array(plaintext[8..<Self.verifierOffset]))
        }
    }
}
