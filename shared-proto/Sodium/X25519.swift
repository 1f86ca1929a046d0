internal import CSodium

/// Diffie-Hellman on Curve25519 (RFC 7748).
public enum X25519 {
    /// Length of private keys, public keys and shared secrets in bytes.
    public static let keyBytes = 32

    /// A private key in locked memory.
    public struct PrivateKey: ~Copyable, Sendable {
        /// The 32-byte public key.
        public let publicKey: [UInt8]
        private let secret: SecretBytes

        /// Takes over 32 secret bytes; nil for any other length.
        public init?(_ secret: consuming SecretBytes) {
            guard secret.count == keyBytes else { return nil }
            self.publicKey = unsafe secret.withUnsafeBytes { secret in
                unsafe Hash.digest(keyBytes) { unsafe _ = crypto_scalarmult_curve25519_base($0.octets, secret.octets) }
            }
            self.secret = secret
        }

        /// Makes a fresh key.
        public init() {
            let secret = SecretBytes(random: keyBytes)
            self.publicKey = unsafe secret.withUnsafeBytes { secret in
                unsafe Hash.digest(keyBytes) { unsafe _ = crypto_scalarmult_curve25519_base($0.octets, secret.octets) }
            }
            self.secret = secret
        }

        /// The secret shared with the holder of `publicKey`; nil when it would be all zero or the key is no key.
        public borrowing func sharedSecret(with publicKey: [UInt8]) -> SecretBytes? {
            var usable = false
            let shared = unsafe SecretBytes(count: keyBytes) { output in
                usable = unsafe sharedSecret(with: publicKey, into: output)
            }
            return usable ? consume shared : nil
        }

        /// Writes the shared secret to the 32 bytes of `output`; false when it would be all zero or the key is no key.
        public borrowing func sharedSecret(
            with publicKey: [UInt8], into output: UnsafeMutableRawBufferPointer
        ) -> Bool {
            guard publicKey.count == keyBytes, output.count == keyBytes else { return false }
            return unsafe secret.withUnsafeBytes { secret in
                unsafe crypto_scalarmult_curve25519(output.octets, secret.octets, publicKey) == 0
            }
        }

        /// Lends the private bytes, for writing a key file.
        public borrowing func withUnsafeBytes<R: ~Copyable, E: Error>(
            _ body: (UnsafeRawBufferPointer) throws(E) -> R
        ) throws(E) -> R {
            try unsafe secret.withUnsafeBytes(body)
        }
    }

    /// Tells whether `publicKey` gives the same all-zero secret with every private key (or is no key at all).
    public static func isLowOrder(_ publicKey: [UInt8]) -> Bool {
        guard publicKey.count == keyBytes else { return true }
        // Every private key is a multiple of the cofactor, so any scalar sends a point of small order to zero.
        let scalar = [UInt8](repeating: 1, count: keyBytes)
        var product = [UInt8](repeating: 0, count: keyBytes)
        return unsafe crypto_scalarmult_curve25519(&product, scalar, publicKey) != 0
    }
}
