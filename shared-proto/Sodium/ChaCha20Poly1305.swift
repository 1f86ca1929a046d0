internal import CSodium

/// ChaCha20-Poly1305 (RFC 8439) with the counter nonce of Noise; allocates nothing.
public enum ChaCha20Poly1305 {
    /// Length of a key in bytes.
    public static let keyBytes = 32
    /// Bytes that a ciphertext is longer than its plaintext.
    public static let tagBytes = 16

    /// Seals `plaintext` into `ciphertext`, which is 16 bytes longer and may start at the same address.
    ///
    /// The nonce is 4 zero bytes, then `counter` in little endian. A counter must never be used twice with a key.
    public static func seal(
        _ plaintext: UnsafeRawBufferPointer, into ciphertext: UnsafeMutableRawBufferPointer,
        key: UnsafeRawBufferPointer, counter: UInt64,
        ad: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    ) {
        precondition(key.count == keyBytes && ciphertext.count == plaintext.count + tagBytes)
        unsafe withNonce(counter) { nonce in
            unsafe _ = crypto_aead_chacha20poly1305_ietf_encrypt(
                ciphertext.octets, nil, plaintext.octets, plaintext.length, ad.octets, ad.length, nil, nonce,
                key.octets)
        }
    }

    /// Opens `ciphertext` into `plaintext`, which is 16 bytes shorter and may start at the same address.
    ///
    /// Returns false, and leaves nothing of the plaintext, when anything was changed.
    public static func open(
        _ ciphertext: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer,
        key: UnsafeRawBufferPointer, counter: UInt64,
        ad: UnsafeRawBufferPointer = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    ) -> Bool {
        guard ciphertext.count >= tagBytes else { return false }
        precondition(key.count == keyBytes && plaintext.count == ciphertext.count - tagBytes)
        return unsafe withNonce(counter) { nonce in
            unsafe crypto_aead_chacha20poly1305_ietf_decrypt(
                plaintext.octets, nil, nil, ciphertext.octets, ciphertext.length, ad.octets, ad.length, nonce,
                key.octets) == 0
        }
    }

    @inline(__always)
    private static func withNonce<R>(_ counter: UInt64, _ body: (UnsafePointer<UInt8>) -> R) -> R {
        // 8 zero bytes then the counter in memory; the nonce is the last 12 of these 16.
        unsafe withUnsafeBytes(of: (UInt64(0), counter.littleEndian)) { bytes in
            unsafe body(UnsafeRawBufferPointer(rebasing: bytes[4...]).octets)
        }
    }
}
