internal import CSodium

/// Ed25519 signatures (RFC 8032).
public enum Ed25519 {
    /// Length of a seed in bytes.
    public static let seedBytes = 32
    /// Length of a public key in bytes.
    public static let publicKeyBytes = 32
    /// Length of a signature in bytes.
    public static let signatureBytes = 64

    /// A private signing key in locked memory.
    public struct SigningKey: ~Copyable, Sendable {
        /// The 32-byte public key.
        public let publicKey: [UInt8]
        private let secret: SecretBytes

        /// Expands a 32-byte seed; nil for any other length.
        public init?(seed: borrowing SecretBytes) {
            guard seed.count == seedBytes else { return nil }
            var publicKey = [UInt8](repeating: 0, count: publicKeyBytes)
            let secret = unsafe SecretBytes(count: Int(crypto_sign_ed25519_SECRETKEYBYTES)) { memory in
                unsafe seed.withUnsafeBytes { seed in
                    unsafe _ = crypto_sign_ed25519_seed_keypair(&publicKey, memory.octets, seed.octets)
                }
            }
            self.publicKey = publicKey
            self.secret = secret
        }

        /// Makes a fresh key.
        public init() {
            var publicKey = [UInt8](repeating: 0, count: publicKeyBytes)
            let secret = unsafe SecretBytes(count: Int(crypto_sign_ed25519_SECRETKEYBYTES)) { memory in
                unsafe _ = crypto_sign_ed25519_keypair(&publicKey, memory.octets)
            }
            self.publicKey = publicKey
            self.secret = secret
        }

        /// Signs `message`; 64 bytes.
        public borrowing func sign(_ message: [UInt8]) -> [UInt8] {
            unsafe secret.withUnsafeBytes { secret in
                unsafe Hash.digest(signatureBytes) { signature in
                    unsafe message.withUnsafeBytes { message in
                        unsafe _ = crypto_sign_ed25519_detached(
                            signature.octets, nil, message.octets, message.length, secret.octets)
                    }
                }
            }
        }
    }

    /// Tells whether `signature` is the holder of `publicKey`'s over `message`.
    ///
    /// Non-canonical signatures and keys, and keys of small order, are refused.
    public static func verify(signature: [UInt8], message: [UInt8], publicKey: [UInt8]) -> Bool {
        guard signature.count == signatureBytes, publicKey.count == publicKeyBytes else { return false }
        return unsafe crypto_sign_ed25519_verify_detached(signature, message, UInt64(message.count), publicKey) == 0
    }
}
