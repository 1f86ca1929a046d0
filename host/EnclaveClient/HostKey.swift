public import HostRuntime
public import Sodium

/// This host's X25519 identity, shared by the connections of one process.
public final class HostKey: Sendable {
    let key: X25519.PrivateKey

    /// Takes over a key.
    public init(_ key: consuming X25519.PrivateKey) { self.key = key }

    /// A fresh key that no enclave knows: for mode `disabled`, which never connects.
    static func unused() -> HostKey { HostKey(X25519.PrivateKey()) }

    /// The public half, as the enclave's allow-list holds it.
    public var publicKey: [UInt8] { key.publicKey }

    /// Reads base64 of 32 bytes from a file that only its owner can read; the bytes go straight to locked memory.
    public convenience init(readingFile path: String) throws(SecretFileError) {
        let secret = try unsafe SecretBytes(count: X25519.keyBytes) { memory throws(SecretFileError) in
            try unsafe SecretFile.readKey(at: path, into: memory)
        }
        guard let key = X25519.PrivateKey(secret) else { throw .notAKey }
        self.init(key)
    }
}
