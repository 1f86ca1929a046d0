internal import COpenSSL
internal import Sodium

/// An RSA key to which KMS encrypts one answer; its public half is stated in the attestation document.
@safe final class RecipientKey: @unchecked Sendable {
    // Unchecked: OpenSSL locks and counts references to a key by itself.
    private static let bits = 2048

    /// DER SubjectPublicKeyInfo.
    let publicKey: [UInt8]
    private let handle: OpaquePointer

    /// A fresh key; nil when OpenSSL cannot make one. Takes a tenth of a second or more.
    init?() {
        guard let handle = unsafe alfred_rsa_generate(Self.bits) else { return nil }
        unsafe self.handle = handle
        var der: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_PUBKEY(handle, &der)
        guard count > 0, let start = unsafe der else { return nil }
        publicKey = unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
        unsafe CRYPTO_free(der, nil, 0)
    }

    deinit { unsafe EVP_PKEY_free(handle) }

    /// Opens what KMS has encrypted to this key, a CMS EnvelopedData (RFC 5652, BER); nil for anything else.
    ///
    /// One recipient, RSAES-OAEP with SHA-256, AES-256-CBC, nothing behind the end, 1 to `limit` bytes inside.
    /// It proves nothing about who made it: whoever knows the public key can.
    func open(_ envelope: [UInt8], atMost limit: Int) -> SecretBytes? {
        defer { ERR_clear_error() }
        guard let cms = unsafe Self.parse(envelope) else { return nil }
        defer { unsafe CMS_ContentInfo_free(cms) }
        guard unsafe OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_enveloped,
            unsafe OBJ_obj2nid(CMS_get0_eContentType(cms)) == NID_pkcs7_data,
            unsafe alfred_cms_recipient_is_oaep_sha256(cms) == 1
        else { return nil }
        // Where the RSA step fails OpenSSL goes on with a random content key: no failure from here on tells which.
        guard unsafe CMS_decrypt_set1_pkey(cms, handle, nil) == 1, let chain = unsafe CMS_dataInit(cms, nil) else {
            return nil
        }
        defer { unsafe BIO_free_all(chain) }
        guard unsafe alfred_bio_cipher(chain) == NID_aes_256_cbc else { return nil }
        return unsafe Self.read(chain, atMost: limit)
    }

    /// The message that takes all of `envelope`.
    private static func parse(_ envelope: [UInt8]) -> OpaquePointer? {
        unsafe envelope.withUnsafeBufferPointer { bytes in
            var position = bytes.baseAddress
            guard let cms = unsafe d2i_CMS_ContentInfo(nil, &position, bytes.count) else { return nil }
            guard unsafe position == bytes.baseAddress?.advanced(by: bytes.count) else {
                unsafe CMS_ContentInfo_free(cms)
                return nil
            }
            return unsafe cms
        }
    }

    private static func read(_ chain: OpaquePointer, atMost limit: Int) -> SecretBytes? {
        unsafe SecretMemory.withScratch(limit + 1) { scratch -> SecretBytes? in
            var count = 0
            while count < scratch.count {
                let got = unsafe BIO_read(chain, scratch.baseAddress?.advanced(by: count), Int32(scratch.count - count))
                guard got > 0 else { break }
                count += Int(got)
            }
            guard (1...limit).contains(count), unsafe alfred_bio_cipher_succeeded(chain) == 1 else { return nil }
            return unsafe SecretBytes(copying: UnsafeRawBufferPointer(rebasing: scratch[..<count]))
        }
    }
}
