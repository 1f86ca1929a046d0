internal import Sodium

/// A 2xx answer of the token endpoint, read in place: tokens go from one locked memory into another.
struct TokenAnswer: ~Copyable {
    /// Longest token taken, in bytes; Google documents 2048 for access tokens and 512 for refresh tokens.
    static let maximumTokenBytes = 2048

    /// Access token, visible characters only.
    let accessToken: SecretBytes
    /// Seconds the access token lives, 1 to 86,400.
    let expiresInSeconds: Int
    /// New refresh token, if one was sent.
    let refreshToken: SecretBytes?
    /// Granted scopes, empty when not stated.
    let scopes: [String]
    /// SHA-256 of `iss|sub` of the id token; nil without one, or when it is for another client.
    let accountHash: [UInt8]?

    /// Reads `body`; nil when it is no object with an access token and its life.
    init?(_ body: borrowing SecretBuffer, clientID: String) {
        guard let fields = unsafe body.withUnsafeBytes({ unsafe Fields($0) }),
            let access = fields.accessToken, let life = fields.expiresIn
        else { return nil }
        guard let token = Self.token(body, access) else { return nil }
        var refreshToken: SecretBytes?
        if let range = fields.refreshToken {
            guard let token = Self.token(body, range) else { return nil }
            refreshToken = consume token
        }
        accessToken = token
        self.refreshToken = refreshToken
        expiresInSeconds = life
        scopes = fields.scope.map { Self.scopes(body, $0) } ?? []
        accountHash = fields.idToken.flatMap { range in
            unsafe body.withUnsafeBytes { unsafe IDToken.accountHash($0.slice(range), clientID: clientID) }
        }
    }

    private struct Fields {
        var accessToken, refreshToken, scope, idToken: Range<Int>?
        var expiresIn: Int?

        init?(_ bytes: UnsafeRawBufferPointer) {
            var duplicate = false
            func keep(_ field: inout Range<Int>?, _ value: JSONMembers.Value) {
                guard case .text(let range) = value, field == nil else {
                    duplicate = true
                    return
                }
                field = range
            }
            var life: Range<Int>?
            let complete = unsafe JSONMembers.scan(bytes) { name, value in
                if unsafe bytes.holds("access_token", at: name) {
                    keep(&accessToken, value)
                } else if unsafe bytes.holds("refresh_token", at: name) {
                    keep(&refreshToken, value)
                } else if unsafe bytes.holds("scope", at: name) {
                    keep(&scope, value)
                } else if unsafe bytes.holds("id_token", at: name) {
                    keep(&idToken, value)
                } else if unsafe bytes.holds("expires_in", at: name) {
                    if case .number(let range) = value, life == nil { life = range } else { duplicate = true }
                }
            }
            guard complete, !duplicate, let life, (1...5).contains(life.count) else { return nil }
            var seconds = 0
            for index in life {
                let byte = unsafe bytes[index]
                guard (0x30...0x39).contains(byte) else { return nil }
                seconds = seconds * 10 + Int(byte - 0x30)
            }
            guard (1...86_400).contains(seconds) else { return nil }
            expiresIn = seconds
        }
    }

    private static func token(_ body: borrowing SecretBuffer, _ range: Range<Int>) -> SecretBytes? {
        guard (1...maximumTokenBytes).contains(range.count) else { return nil }
        var buffer = SecretBuffer(capacity: range.count)
        guard unsafe body.withUnsafeBytes({ unsafe buffer.appendUnescaped($0.slice(range)) }) else { return nil }
        return unsafe buffer.withUnsafeBytes { bytes -> SecretBytes? in
            guard bytes.count > 0, unsafe bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
            return unsafe SecretBytes(copying: bytes)
        }
    }

    private static func scopes(_ body: borrowing SecretBuffer, _ range: Range<Int>) -> [String] {
        guard range.count <= 4096 else { return [] }
        let text = unsafe body.withUnsafeBytes { unsafe $0.text(at: range) } ?? ""
        return text.split(separator: " ").map(String.init)
    }
}

/// The `error` of a token or revocation endpoint's refusal; nothing else of the body is looked at.
enum TokenRefusal: Equatable {
    case invalidGrant, invalidToken, accessDenied, other

    init(_ body: borrowing SecretBuffer) {
        self = unsafe body.withUnsafeBytes { bytes in
            var result = TokenRefusal.other
            let complete = unsafe JSONMembers.scan(bytes) { name, value in
                guard unsafe bytes.holds("error", at: name), case .text(let range) = value else { return }
                if unsafe bytes.holds("invalid_grant", at: range) { result = .invalidGrant }
                if unsafe bytes.holds("invalid_token", at: range) { result = .invalidToken }
                if unsafe bytes.holds("access_denied", at: range) { result = .accessDenied }
            }
            return complete ? result : .other
        }
    }
}
