import Crypto
import CryptoExtras
import Foundation

/// What is in an answer's `CiphertextForRecipient`: CMS EnvelopedData (RFC 5652) in BER with indefinite lengths.
struct CMSEnvelope {
    /// DER SubjectPublicKeyInfo of the recipient's RSA key.
    let publicKey: [UInt8]
    let shape: KMSEnvelopeShape
    let misbehaviour: KMSMisbehaviour?

    /// - Throws: where `publicKey` is no RSA key.
    func seal(_ plaintext: [UInt8]) throws -> [UInt8] {
        var plaintext = plaintext
        if misbehaviour == .shortKey { plaintext = Array(plaintext.prefix(16)) }
        if misbehaviour == .longKey { plaintext += plaintext }
        let contentKey = SymmetricKey(size: misbehaviour == .aes128 ? .bits128 : .bits256)
        let iv = AES._CBC.IV()
        var content = Array(try AES._CBC.encrypt(Data(plaintext), using: contentKey, iv: iv))
        if misbehaviour == .flippedContent { content[content.count - 1] ^= 1 }
        let recipient = try recipient(contentKey)
        let recipients = misbehaviour == .twoRecipients ? recipient + recipient : recipient
        let cipher = misbehaviour == .aes128 ? BER.aes128CBC : BER.aes256CBC
        let encrypted = BER.indefinite(
            0x30,
            BER.data + BER.definite(0x30, cipher + BER.definite(0x04, Array(iv))) + Self.write(content, as: shape))
        let enveloped = BER.indefinite(
            0x30, BER.version2 + BER.definite(0x31, recipients) + encrypted)
        let type = misbehaviour == .otherContentType ? BER.signedData : BER.envelopedData
        let whole = BER.indefinite(0x30, type + BER.indefinite(0xA0, enveloped))
        switch misbehaviour {
        case .truncatedEnvelope: return Array(whole.dropLast(5))
        case .trailingBytes: return whole + [0]
        default: return whole
        }
    }

    private func recipient(_ contentKey: SymmetricKey) throws -> [UInt8] {
        let key =
            misbehaviour == .envelopeForAnotherKey
            ? try _RSA.Encryption.PrivateKey(keySize: .bits2048).publicKey
            : try _RSA.Encryption.PublicKey(derRepresentation: publicKey)
        let wrapped = try key.encrypt(
            contentKey.withUnsafeBytes { Data($0) },
            padding: misbehaviour == .oaepSHA1 ? .PKCS1_OAEP : .PKCS1_OAEP_SHA256)
        let identifier =
            misbehaviour == .recipientByIssuer
            ? BER.definite(0x30, BER.definite(0x30, []) + [0x02, 0x01, 0x01])
            : BER.definite(0x80, Array(SHA256.hash(data: Data(publicKey))))
        let algorithm = misbehaviour == .oaepSHA1 ? BER.oaepSHA1 : BER.oaepSHA256
        return BER.definite(0x30, BER.version2 + identifier + algorithm + BER.definite(0x04, Array(wrapped)))
    }

    private static func write(_ content: [UInt8], as shape: KMSEnvelopeShape) -> [UInt8] {
        switch shape {
        case .primitive: return BER.definite(0x80, content)
        case .constructed:
            let half = content.count / 2
            return BER.indefinite(
                0xA0, BER.definite(0x04, Array(content[..<half])) + BER.definite(0x04, Array(content[half...])))
        }
    }
}

/// The few things of BER that an envelope needs.
private enum BER {
    static let version2: [UInt8] = [0x02, 0x01, 0x02]
    static let data = object([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01])
    static let signedData = object([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02])
    static let envelopedData = object([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03])
    static let aes128CBC = object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02])
    static let aes256CBC = object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2A])
    private static let rsaesOAEP = object([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x07])
    private static let mgf1 = object([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08])
    private static let sha256 = definite(
        0x30, object([0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]) + [0x05, 0x00])

    /// RSAES-OAEP with SHA-256 and MGF1 of SHA-256, both stated.
    static let oaepSHA256 = definite(
        0x30,
        rsaesOAEP + definite(0x30, definite(0xA0, sha256) + definite(0xA1, definite(0x30, mgf1 + sha256))))
    /// All defaults.
    static let oaepSHA1 = definite(0x30, rsaesOAEP + definite(0x30, []))

    private static func object(_ bytes: [UInt8]) -> [UInt8] { definite(0x06, bytes) }

    static func definite(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        let length: [UInt8] =
            switch count {
            case ..<0x80: [UInt8(count)]
            case ..<0x100: [0x81, UInt8(count)]
            default: [0x82, UInt8(count >> 8), UInt8(count & 0xFF)]
            }
        return [tag] + length + content
    }

    static func indefinite(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, 0x80] + content + [0, 0] }
}
