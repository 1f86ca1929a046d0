import Crypto
import Foundation
import HTTPTypes

/// What is wrong with a minted session token.
public enum TokenFlaw: String, Codable, Sendable, Hashable, CaseIterable {
    case expired, notYetValid, wrongAudience, wrongIssuer
    /// Signed by a key that the key set does not have, under that key's id.
    case unknownKey
    /// Signed by a key that the key set does not have, under the id of one that it has.
    case foreignSignature
    case missingKeyID
    case algorithmNone
    /// HMAC under the public key's PEM text, the classic confusion.
    case algorithmHS256
}

/// A session token to mint. Nil: as Clerk would.
public struct TokenRequest: Codable, Sendable, Hashable {
    public var subject: String
    public var audience: String?
    public var authorizedParty: String?
    public var lifetimeSeconds: Int?
    public var flaw: TokenFlaw?

    public init(
        subject: String, audience: String? = nil, authorizedParty: String? = nil, lifetimeSeconds: Int? = nil,
        flaw: TokenFlaw? = nil
    ) {
        self.subject = subject
        self.audience = audience
        self.authorizedParty = authorizedParty
        self.lifetimeSeconds = lifetimeSeconds
        self.flaw = flaw
    }
}

/// How the simulated Clerk behaves.
public struct ClerkSettings: Codable, Sendable, Hashable {
    public var audience: String
    public var authorizedParty: String
    /// `max-age` of the key set; nil: no `Cache-Control`.
    public var keySetMaxAgeSeconds: Int?

    public init(
        audience: String = "alfred-local", authorizedParty: String = "https://alfred.test",
        keySetMaxAgeSeconds: Int? = 300
    ) {
        self.audience = audience
        self.authorizedParty = authorizedParty
        self.keySetMaxAgeSeconds = keySetMaxAgeSeconds
    }
}

/// Clerk's key set and its session tokens.
actor ClerkSimulator: ProviderSimulator {
    private let now: @Sendable () -> Date
    private var settings: ClerkSettings
    private var issuer = ""
    private var keys: [RSASigningKey]

    init(settings: ClerkSettings, now: @escaping @Sendable () -> Date) throws {
        self.settings = settings
        self.now = now
        keys = [try RSASigningKey()]
    }

    nonisolated func call(of request: ProviderRequest) -> ProviderCall? {
        let paths = ["/.well-known/jwks.json", "/v1/jwks"]
        return request.method == .get && paths.contains(request.path) ? .keySet : nil
    }

    /// The public address answers anyone; the Backend API's wants a secret key.
    func answer(_ call: ProviderCall, _ request: ProviderRequest) async -> ProviderResponse {
        guard request.path != "/v1/jwks" || request.bearer?.hasPrefix("sk_") == true else {
            return Self.error(.unauthorized, "authentication_invalid", "Invalid authentication")
        }
        guard let set = try? keys.map({ try $0.publicJWK }) else {
            return Self.error(.internalServerError, "internal_error", "Key set unavailable")
        }
        var headers: HTTPFields = [:]
        if let seconds = settings.keySetMaxAgeSeconds { headers[.cacheControl] = "public, max-age=\(seconds)" }
        return .json(["keys": .array(set)], headers: headers)
    }

    nonisolated func unknownEndpoint(_ request: ProviderRequest) -> ProviderResponse {
        Self.error(.notFound, "resource_not_found", "not found")
    }

    func setIssuer(_ issuer: String) {
        self.issuer = issuer
    }

    func setSettings(_ settings: ClerkSettings) {
        self.settings = settings
    }

    /// Signs with a new key from now on; the old ones stay in the set only if `keepOld`. At most 16 are kept.
    func rotateKeys(keepOld: Bool) throws -> String {
        let key = try RSASigningKey()
        keys = keepOld ? [key] + keys.prefix(15) : [key]
        return key.id
    }

    func mint(_ request: TokenRequest) throws -> String {
        let flaw = request.flaw
        let seconds = Int(now().timeIntervalSince1970) + (flaw == .expired ? -7200 : flaw == .notYetValid ? 7200 : 0)
        let audience = flaw == .wrongAudience ? "someone-else" : request.audience ?? settings.audience
        let claims: [String: JSONValue] = [
            "iss": .string(flaw == .wrongIssuer ? issuer + ".evil.test" : issuer), "sub": .string(request.subject),
            "aud": .string(audience), "azp": .string(request.authorizedParty ?? settings.authorizedParty),
            "iat": .integer(seconds), "nbf": .integer(seconds - 10),
            "exp": .integer(seconds + (request.lifetimeSeconds ?? 3600)), "sid": .string("sess_" + request.subject),
        ]
        let key = keys[0]
        switch flaw {
        case .unknownKey:
            return try RSASigningKey().sign(claims)
        case .foreignSignature:
            return try RSASigningKey().sign(claims, header: Self.header("RS256", key.id))
        case .missingKeyID:
            return try key.sign(claims, header: Self.header("RS256", nil))
        case .algorithmNone:
            return RSASigningKey.signingInput(Self.header("none", key.id), claims) + "."
        case .algorithmHS256:
            let input = RSASigningKey.signingInput(Self.header("HS256", key.id), claims)
            let secret = SymmetricKey(data: Data(key.publicPEM.utf8))
            return input + "."
                + Base64URL.encode(HMAC<SHA256>.authenticationCode(for: Data(input.utf8), using: secret))
        case .expired, .notYetValid, .wrongAudience, .wrongIssuer, nil:
            return try key.sign(claims)
        }
    }

    private static func header(_ algorithm: String, _ keyID: String?) -> [String: JSONValue] {
        var header: [String: JSONValue] = ["alg": .string(algorithm), "typ": "JWT"]
        header["kid"] = keyID.map { .string($0) }
        return header
    }

    private static func error(_ status: HTTPResponse.Status, _ code: String, _ message: String) -> ProviderResponse {
        .json(["errors": [["code": .string(code), "message": .string(message)]]], status: status)
    }
}
