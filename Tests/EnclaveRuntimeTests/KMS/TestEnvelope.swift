import COpenSSL
import Sodium
import Testing

/// An answer's `CiphertextForRecipient` as KMS makes it, or wrong in one way; the cryptography is OpenSSL's.
struct TestEnvelope: Sendable {
    enum Content: Sendable { case constructed(pieces: Int), primitive }

    var content = Content.constructed(pieces: 1)
    var isIndefinite = true
    var recipients = 1
    var namesIssuer = false
    var padding = RSA_PKCS1_OAEP_PADDING
    var oaepHash = NID_sha256
    var maskHash = NID_sha256
    var label: [UInt8] = []
    var contentKeyBytes = 32
    var cipher = NID_aes_256_cbc
    var ivBytes = 16
    var type = OID.envelopedData
    var innerType = OID.data
    var tail: [UInt8] = []
    /// Changes the encrypted content before it is enclosed.
    var change: @Sendable (inout [UInt8]) -> Void = { _ in }

    enum OID {
        static let data: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01]
        static let signedData: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02]
        static let envelopedData: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03]
        static let rsa: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]
        static let oaep: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x07]
        static let mgf1: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08]
        static let specified: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x09]

        static func of(_ nid: Int32) -> [UInt8] {
            guard let object = OBJ_nid2obj(nid), let start = OBJ_get0_data(object) else { return [] }
            return Array(UnsafeBufferPointer(start: start, count: OBJ_length(object)))
        }
    }

    /// Seals `plaintext` to the RSA key of a SubjectPublicKeyInfo: all it takes is that public key.
    func seal(_ plaintext: [UInt8], to publicKey: [UInt8]) throws -> [UInt8] {
        let key = Random.bytes(contentKeyBytes)
        let iv = Random.bytes(ivBytes)
        var encrypted = try Self.encrypt(plaintext, cipher: cipher, key: key, iv: iv)
        change(&encrypted)
        let recipient = try recipient(key, publicKey)
        let info =
            oid(innerType) + sequence(oid(OID.of(cipher)) + definite(0x04, iv)) + wrapped(encrypted)
        let enveloped =
            [0x02, 0x01, 0x02] + definite(0x31, (0..<recipients).flatMap { _ in recipient }) + constructed(0x30, info)
        return constructed(0x30, oid(type) + constructed(0xA0, constructed(0x30, enveloped))) + tail
    }

    private func recipient(_ key: [UInt8], _ publicKey: [UInt8]) throws -> [UInt8] {
        let name =
            namesIssuer
            ? sequence(sequence([]) + [0x02, 0x01, 0x01]) : definite(0x80, Hash.sha256(publicKey))
        var algorithm = oid(OID.rsa) + [0x05, 0x00]
        if padding == RSA_PKCS1_OAEP_PADDING {
            func hash(_ nid: Int32) -> [UInt8] { sequence(oid(OID.of(nid)) + [0x05, 0x00]) }
            let source = label.isEmpty ? [] : definite(0xA2, sequence(oid(OID.specified) + definite(0x04, label)))
            algorithm =
                oid(OID.oaep)
                + sequence(
                    definite(0xA0, hash(oaepHash)) + definite(0xA1, sequence(oid(OID.mgf1) + hash(maskHash))) + source)
        }
        return sequence([0x02, 0x01, 0x02] + name + sequence(algorithm) + definite(0x04, try wrap(key, publicKey)))
    }

    private func wrap(_ key: [UInt8], _ publicKey: [UInt8]) throws -> [UInt8] {
        var der: UnsafePointer<UInt8>?
        let rsa = publicKey.withUnsafeBufferPointer { bytes in
            der = bytes.baseAddress
            return d2i_PUBKEY(nil, &der, bytes.count)
        }
        let context = try #require(EVP_PKEY_CTX_new(rsa, nil))
        defer {
            EVP_PKEY_CTX_free(context)
            EVP_PKEY_free(rsa)
        }
        try #require(EVP_PKEY_encrypt_init(context) == 1)
        try #require(EVP_PKEY_CTX_set_rsa_padding(context, padding) == 1)
        if padding == RSA_PKCS1_OAEP_PADDING {
            try #require(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_get_digestbyname(OBJ_nid2sn(oaepHash))) == 1)
            try #require(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_get_digestbyname(OBJ_nid2sn(maskHash))) == 1)
            if !label.isEmpty {
                let copy = CRYPTO_malloc(label.count, nil, 0)
                copy?.copyMemory(from: label, byteCount: label.count)
                try #require(EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, Int32(label.count)) == 1)
            }
        }
        var count = 512
        var output = [UInt8](repeating: 0, count: count)
        try #require(EVP_PKEY_encrypt(context, &output, &count, key, key.count) == 1)
        return Array(output[..<count])
    }

    private static func encrypt(_ plaintext: [UInt8], cipher: Int32, key: [UInt8], iv: [UInt8]) throws -> [UInt8] {
        let context = try #require(EVP_CIPHER_CTX_new())
        defer { EVP_CIPHER_CTX_free(context) }
        let name = try #require(EVP_get_cipherbyname(OBJ_nid2sn(cipher)))
        let pad = { (bytes: [UInt8], count: Int32) in bytes + [UInt8](repeating: 0, count: 64).prefix(Int(count)) }
        try #require(
            EVP_EncryptInit_ex(
                context, name, nil, pad(key, EVP_CIPHER_get_key_length(name)), pad(iv, EVP_CIPHER_get_iv_length(name)))
                == 1)
        var output = [UInt8](repeating: 0, count: plaintext.count + 64)
        var first: Int32 = 0
        var last: Int32 = 0
        try #require(EVP_EncryptUpdate(context, &output, &first, plaintext, Int32(plaintext.count)) == 1)
        let ended = output.withUnsafeMutableBufferPointer { output in
            EVP_EncryptFinal_ex(context, output.baseAddress?.advanced(by: Int(first)), &last)
        }
        try #require(ended == 1)
        return Array(output[..<Int(first + last)])
    }

    // MARK: BER

    private func wrapped(_ encrypted: [UInt8]) -> [UInt8] {
        guard case .constructed(let pieces) = content else { return definite(0x80, encrypted) }
        let size = max(1, (encrypted.count + pieces - 1) / pieces)
        let strings = stride(from: 0, to: encrypted.count, by: size).flatMap { start in
            definite(0x04, Array(encrypted[start..<min(start + size, encrypted.count)]))
        }
        return constructed(0xA0, strings)
    }

    private func oid(_ bytes: [UInt8]) -> [UInt8] { definite(0x06, bytes) }
    private func sequence(_ content: [UInt8]) -> [UInt8] { definite(0x30, content) }

    private func constructed(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        isIndefinite ? [tag, 0x80] + content + [0, 0] : definite(tag, content)
    }

    private func definite(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        switch content.count {
        case ..<0x80: [tag, UInt8(content.count)] + content
        case ..<0x100: [tag, 0x81, UInt8(content.count)] + content
        default: [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content
        }
    }
}
