import Crypto
import EnclaveProtocol
import FoundationEssentials

/// How Clerk's subjects become Alfred's users.
enum UserIdentity {
    /// Namespace of all user ids.
    static let namespace: [UInt8] = [
        0x10, 0x85, 0x0b, 0xe7, 0xd8, 0x1f, 0x4f, 0x4e, 0xa2, 0xdc, 0x0b, 0xb9, 0x69, 0x43, 0xa0, 0x9e,
    ]

    /// UUIDv5 (RFC 9562 §5.5) of the issuer without its trailing slash, `:` and the subject.
    static func userID(issuer: String, subject: String) -> UserID {
        let base = issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer
        var digest = Insecure.SHA1()
        digest.update(data: namespace)
        digest.update(data: Array("\(base):\(subject)".utf8))
        var bytes = Array(digest.finalize().prefix(16))
        bytes[6] = bytes[6] & 0x0f | 0x50
        bytes[8] = bytes[8] & 0x3f | 0x80
        guard let uuid = UUID(networkBytes: bytes) else { preconditionFailure("a UUID has 16 bytes") }
        return UserID(uuid)
    }
}
