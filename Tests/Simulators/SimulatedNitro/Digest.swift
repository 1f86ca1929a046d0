internal import COpenSSL

/// Hash functions of OpenSSL over whole messages.
public enum Digest: Sendable {
    case sha1, sha256, sha384, sha512

    public func of(_ message: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 64)
        var count: UInt32 = 0
        let done = unsafe EVP_Digest(message, message.count, &digest, &count, algorithm, nil)
        precondition(done == 1, "OpenSSL cannot hash")
        return Array(digest.prefix(Int(count)))
    }

    /// HMAC (RFC 2104).
    func authenticator(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        let block = self == .sha384 || self == .sha512 ? 128 : 64
        let short = key.count > block ? of(key) : key
        let padded = short + [UInt8](repeating: 0, count: block - short.count)
        return of(padded.map { $0 ^ 0x5c } + of(padded.map { $0 ^ 0x36 } + message))
    }

    private var algorithm: OpaquePointer? {
        switch self {
        case .sha1: unsafe EVP_sha1()
        case .sha256: unsafe EVP_sha256()
        case .sha384: unsafe EVP_sha384()
        case .sha512: unsafe EVP_sha512()
        }
    }
}
