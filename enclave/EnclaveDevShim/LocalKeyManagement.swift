internal import EnclaveProtocol
public import EnclaveVault
public import Sodium

/// Key management for local development: one key in a file stands for KMS.
///
/// Like the real one it serves enclaves of an allowed measurement only, and opens a data key only for the id and
/// version it was made for.
public struct LocalKeyManagement: KeyManagement {
    /// Every local key id begins so.
    public static let keyIDPrefix = "kms/local/"
    private static let formatVersion: UInt8 = 1
    private static let dataKeyBytes = 32
    private static let overhead = 1 + XChaCha20Poly1305.nonceBytes + XChaCha20Poly1305.tagBytes

    private let key: LocalKey

    public var providerName: String { "local" }

    /// Opens the key file for an enclave of `measurement`.
    ///
    /// - Throws: `.measurementNotAllowed` unless `allowedMeasurements` has it; else why the file was refused.
    public init(
        keyFile path: String, measurement: String, allowedMeasurements: Set<String>
    ) throws(LocalKeyManagementError) {
        guard allowedMeasurements.contains(measurement) else { throw .measurementNotAllowed }
        key = LocalKey(try LocalKeyFile.read(path))
    }

    public func generateDataKey(keyID: String, version: UInt32) throws(VaultError) -> GeneratedDataKey {
        guard keyID.hasPrefix(Self.keyIDPrefix) else { throw .keyPolicyMismatch }
        let plaintext = SecretBytes(random: Self.dataKeyBytes)
        let nonce = Random.bytes(XChaCha20Poly1305.nonceBytes)
        let ciphertext = unsafe key.secret.withUnsafeBytes { key in
            unsafe plaintext.withUnsafeBytes { plaintext in
                unsafe XChaCha20Poly1305.seal(
                    plaintext: plaintext, key: key, nonce: nonce, ad: Self.context(keyID, version))
            }
        }
        return GeneratedDataKey(plaintext: plaintext, wrapped: [Self.formatVersion] + nonce + ciphertext)
    }

    public func unwrap(_ wrapped: [UInt8], keyID: String, version: UInt32) throws(VaultError) -> SecretBytes {
        guard keyID.hasPrefix(Self.keyIDPrefix) else { throw .keyPolicyMismatch }
        guard wrapped.count == Self.overhead + Self.dataKeyBytes, wrapped[0] == Self.formatVersion else {
            throw .keyStoreFailed
        }
        let nonce = Array(wrapped[1..<(1 + XChaCha20Poly1305.nonceBytes)])
        let ciphertext = Array(wrapped[(1 + XChaCha20Poly1305.nonceBytes)...])
        let opened = unsafe ciphertext.span.withUnsafeBytes { ciphertext in
            unsafe key.secret.withUnsafeBytes { key in
                unsafe XChaCha20Poly1305.open(
                    ciphertext: ciphertext, key: key, nonce: nonce, ad: Self.context(keyID, version))
            }
        }
        guard let opened else { throw .keyStoreFailed }
        return opened
    }

    /// Deterministic CBOR: [key id, key version, purpose].
    private static func context(_ keyID: String, _ version: UInt32) -> [UInt8] {
        var writer = CBORWriter(capacity: keyID.utf8.count + 24)
        writer.array(3)
        writer.text(keyID)
        writer.unsigned(UInt64(version))
        writer.text("data-key")
        return writer.bytes
    }
}

/// The one owner of the file's key.
private final class LocalKey: Sendable {
    let secret: SecretBytes

    init(_ secret: consuming SecretBytes) { self.secret = secret }
}
