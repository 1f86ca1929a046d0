internal import CSodium

/// XChaCha20-Poly1305, whose 24-byte nonces may be drawn at random.
public enum XChaCha20Poly1305 {
    /// Length of a key in bytes.
    public static let keyBytes = 32
    /// Length of a nonce in bytes.
    public static let nonceBytes = 24
    /// Bytes that a ciphertext is longer than its plaintext.
    public static let tagBytes = 16

    /// Seals `plaintext`; the result is 16 bytes longer.
    public static func seal(
        plaintext: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, nonce: [UInt8], ad: [UInt8]
    ) -> [UInt8] {
        unsafe Hash.digest(plaintext.count + tagBytes) { output in
            unsafe nonce.withUnsafeBytes { nonce in
                unsafe ad.withUnsafeBytes { ad in
                    unsafe seal(plaintext: plaintext, key: key, nonce: nonce, ad: ad, into: output)
                }
            }
        }
    }

    /// Seals `plaintext` into `ciphertext`, which is 16 bytes longer; allocates nothing.
    public static func seal(
        plaintext: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer,
        ad: UnsafeRawBufferPointer, into ciphertext: UnsafeMutableRawBufferPointer
    ) {
        precondition(key.count == keyBytes && nonce.count == nonceBytes)
        precondition(ciphertext.count == plaintext.count + tagBytes)
        unsafe _ = crypto_aead_xchacha20poly1305_ietf_encrypt(
            ciphertext.octets, nil, plaintext.octets, plaintext.length, ad.octets, ad.length, nil, nonce.octets,
            key.octets)
    }

    /// Opens a secret straight into locked memory; nil when anything was changed.
    public static func open(
        ciphertext: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, nonce: [UInt8], ad: [UInt8]
    ) -> SecretBytes? {
        guard ciphertext.count >= tagBytes else { return nil }
        var opened = false
        let secret = unsafe SecretBytes(count: ciphertext.count - tagBytes) { output in
            opened = unsafe open(ciphertext: ciphertext, key: key, nonce: nonce, ad: ad, into: output)
        }
        return opened ? consume secret : nil
    }

    /// Opens a value that is not itself a secret of the enclave; nil when anything was changed.
    public static func openPublic(
        ciphertext: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, nonce: [UInt8], ad: [UInt8]
    ) -> [UInt8]? {
        guard ciphertext.count >= tagBytes else { return nil }
        var opened = false
        let plaintext = unsafe Hash.digest(ciphertext.count - tagBytes) { output in
            opened = unsafe open(ciphertext: ciphertext, key: key, nonce: nonce, ad: ad, into: output)
        }
        return opened ? plaintext : nil
    }

    private static func open(
        ciphertext: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, nonce: [UInt8], ad: [UInt8],
        into plaintext: UnsafeMutableRawBufferPointer
    ) -> Bool {
        unsafe nonce.withUnsafeBytes { nonce in
            unsafe ad.withUnsafeBytes { ad in
                unsafe open(ciphertext: ciphertext, key: key, nonce: nonce, ad: ad, into: plaintext)
            }
        }
    }

    /// Opens `ciphertext` into `plaintext`, which is 16 bytes shorter; false when anything was changed.
    public static func open(
        ciphertext: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer, nonce: UnsafeRawBufferPointer,
        ad: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard ciphertext.count >= tagBytes else { return false }
        precondition(key.count == keyBytes && nonce.count == nonceBytes)
        precondition(plaintext.count == ciphertext.count - tagBytes)
        return unsafe crypto_aead_xchacha20poly1305_ietf_decrypt(
            plaintext.octets, nil, nil, ciphertext.octets, ciphertext.length, ad.octets, ad.length, nonce.octets,
            key.octets) == 0
    }
}
