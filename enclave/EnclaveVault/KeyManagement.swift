public import Sodium

/// A fresh data key, in the clear and wrapped.
public struct GeneratedDataKey: ~Copyable, Sendable {
    /// 32 bytes.
    public let plaintext: SecretBytes
    /// What only the same key management can open again.
    public let wrapped: [UInt8]

    /// Both forms of one key.
    public init(plaintext: consuming SecretBytes, wrapped: [UInt8]) {
        self.plaintext = plaintext
        self.wrapped = wrapped
    }

    /// Gives up the plaintext.
    consuming func takePlaintext() -> SecretBytes { plaintext }
}

/// The service that makes and unwraps data keys, for enclaves of an allowed measurement only.
public protocol KeyManagement: Sendable {
    /// `kms_provider` of the rows: `local` or `aws`.
    var providerName: String { get }

    /// Makes a data key of 32 bytes, bound to its id and version.
    func generateDataKey(keyID: String, version: UInt32) throws(VaultError) -> GeneratedDataKey

    /// Unwraps a data key, provided it was made for this id and version.
    func unwrap(_ wrapped: [UInt8], keyID: String, version: UInt32) throws(VaultError) -> SecretBytes
}
