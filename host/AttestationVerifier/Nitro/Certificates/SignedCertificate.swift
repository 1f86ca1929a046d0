internal import COpenSSL

/// A certificate as OpenSSL reads it and as the profile does: its key checks signatures.
@safe final class SignedCertificate: @unchecked Sendable {
    // Sendable: neither object is changed after `init`; OpenSSL locks what its verifications share.
    let profile: CertificateProfile
    private let certificate: OpaquePointer
    private let key: OpaquePointer

    /// Parses `der` twice; both must accept all of it.
    init(der: [UInt8], at place: String) throws(NitroRefusal) {
        profile = try CertificateProfile(der: der, at: place)
        let parsed = unsafe der.withUnsafeBufferPointer { bytes in
            var position = bytes.baseAddress
            let parsed = unsafe d2i_X509(nil, &position, bytes.count)
            return unsafe (object: parsed, isWhole: position == bytes.baseAddress.map { unsafe $0 + bytes.count })
        }
        guard let object = unsafe parsed.object else {
            ERR_clear_error()
            throw NitroRefusal(
                .certificateEncoding, at: place, expected: "an X.509 certificate", found: "one that OpenSSL refuses")
        }
        guard unsafe parsed.isWhole, let key = unsafe X509_get0_pubkey(object) else {
            unsafe X509_free(object)
            ERR_clear_error()
            throw NitroRefusal(
                .certificateKey, at: place, expected: "a point on the curve P-384", found: "a point off the curve")
        }
        unsafe certificate = object
        unsafe self.key = key
    }

    deinit { unsafe X509_free(certificate) }

    /// Whether the key of `issuer` signed this certificate. Cost: one P-384 verification.
    func isSigned(by issuer: SignedCertificate) -> Bool {
        let isSigned = unsafe X509_verify(certificate, issuer.key) == 1
        if !isSigned { ERR_clear_error() }
        return isSigned
    }

    /// Whether this certificate's key signed `prefix ‖ message` (SHA-384). Cost: one P-384 verification.
    func verifies(_ signature: [UInt8], of prefix: [UInt8], _ message: [UInt8]) -> Bool {
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        let isValid =
            unsafe EVP_DigestVerifyInit(context, nil, EVP_sha384(), nil, key) == 1
            && EVP_DigestVerifyUpdate(context, prefix, prefix.count) == 1
            && EVP_DigestVerifyUpdate(context, message, message.count) == 1
            && EVP_DigestVerifyFinal(context, signature, signature.count) == 1
        if !isValid { ERR_clear_error() }
        return isValid
    }
}
