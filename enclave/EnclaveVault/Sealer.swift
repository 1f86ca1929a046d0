internal import Sodium

/// Seals and opens one value under a data key; the keys of each value live on the stack and are wiped.
enum Sealer {
    /// Seals `plaintext` under the policy's active version, whose key is `key`.
    static func seal(
        _ plaintext: UnsafeRawBufferPointer, context: SealContext, policy: KeyPolicy, key: DataKey
    ) -> [UInt8] {
        let ad = context.associatedData(keyID: policy.keyID, keyVersion: policy.activeVersion)
        return unsafe [UInt8](unsafeUninitializedCapacity: SealedHeader.overhead + plaintext.count) { buffer, filled in
            let output = unsafe UnsafeMutableRawBufferPointer(
                start: buffer.baseAddress, count: SealedHeader.overhead + plaintext.count)
            unsafe SealedHeader.write(policy: policy, recordVersion: context.recordVersion, into: output)
            let nonce = unsafe UnsafeMutableRawBufferPointer(rebasing: output[SealedHeader.nonceRange])
            unsafe Random.fill(nonce)
            unsafe withKeys(of: key, nonce: UnsafeRawBufferPointer(nonce), context: context) { encrypt, commitment in
                unsafe UnsafeMutableRawBufferPointer(rebasing: output[SealedHeader.commitmentRange])
                    .copyMemory(from: commitment)
                unsafe ad.withUnsafeBytes { ad in
                    unsafe XChaCha20Poly1305.seal(
                        plaintext: plaintext, key: encrypt, nonce: UnsafeRawBufferPointer(nonce), ad: ad,
                        into: UnsafeMutableRawBufferPointer(rebasing: output[SealedHeader.byteCount...]))
                }
            }
            filled = output.count
        }
    }

    /// Opens `sealed`, whose header was read before, into `plaintext` of `sealed.count - overhead` bytes.
    ///
    /// The commitment is compared first: a ciphertext made to open under two keys never reaches the cipher.
    static func open(
        _ sealed: [UInt8], header: SealedHeader, context: SealContext, policy: KeyPolicy, key: DataKey,
        into plaintext: UnsafeMutableRawBufferPointer
    ) throws(VaultError) {
        let ad = context.associatedData(keyID: policy.keyID, keyVersion: header.keyVersion)
        let opened = unsafe sealed.withUnsafeBytes { sealed in
            let nonce = unsafe UnsafeRawBufferPointer(rebasing: sealed[SealedHeader.nonceRange])
            return unsafe withKeys(of: key, nonce: nonce, context: context) { encrypt, commitment in
                let stored = unsafe UnsafeRawBufferPointer(rebasing: sealed[SealedHeader.commitmentRange])
                guard unsafe constantTimeEqual(stored, commitment) else { return false }
                return unsafe ad.withUnsafeBytes { ad in
                    unsafe XChaCha20Poly1305.open(
                        ciphertext: UnsafeRawBufferPointer(rebasing: sealed[SealedHeader.byteCount...]), key: encrypt,
                        nonce: nonce, ad: ad, into: plaintext)
                }
            }
        }
        guard opened else { throw .sealedDataRejected }
    }

    /// 64 bytes of HKDF-SHA-512: 32 encrypt, 32 commit to the data key.
    private static func withKeys<R>(
        of key: DataKey, nonce: UnsafeRawBufferPointer, context: SealContext,
        _ body: (_ encrypt: UnsafeRawBufferPointer, _ commitment: UnsafeRawBufferPointer) -> R
    ) -> R {
        let info = context.derivationInfo
        return unsafe SecretMemory.withScratch(64) { derived in
            unsafe key.secret.withUnsafeBytes { secret in
                unsafe info.withUnsafeBytes { info in
                    unsafe Hash.hkdfSHA512(secret: secret, salt: nonce, info: info, into: derived)
                }
            }
            return unsafe body(
                UnsafeRawBufferPointer(rebasing: derived[..<32]), UnsafeRawBufferPointer(rebasing: derived[32...]))
        }
    }
}
