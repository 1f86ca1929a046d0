import Crypto
import CryptoExtras

/// One RSA key of the provider, fit for RS256.
struct VerificationKey: Sendable {
    private let key: _RSA.Signing.PublicKey
    /// SHA-256 of modulus and exponent: two keys may have had one `kid`.
    let fingerprint: SHA256Digest

    /// Nil for a modulus under 2048 bits or an exponent that is even or below 65537.
    init?(modulus: String, exponent: String) {
        guard let encodedModulus = Base64URL.decode(modulus.utf8), let e = Base64URL.decode(exponent.utf8),
            (1...8).contains(e.count)
        else { return nil }
        let n = Array(encodedModulus.drop { $0 == 0 })
        guard let top = n.first, n.count * 8 - top.leadingZeroBitCount >= 2048 else { return nil }
        let value = e.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard value >= 65537, value % 2 == 1, let key = try? _RSA.Signing.PublicKey(n: n, e: e) else { return nil }
        self.key = key
        fingerprint = SHA256.hash(data: n + e)
    }

    /// The claims of a token whose signature this key made.
    func claims(of token: BearerToken) throws(AuthFailure) -> ClerkClaims {
        let signature = _RSA.Signing.RSASignature(rawRepresentation: token.signature)
        let digest = SHA256.hash(data: token.signedBytes)
        guard key.isValidSignature(signature, for: digest, padding: .insecurePKCS1v1_5) else { throw .badSignature }
        return try ClerkClaims(payload: token.payload)
    }
}

/// The claims that are read; judged by `ClerkTokenRules`.
struct ClerkClaims: Sendable {
    let iss: String?
    let sub: String?
    /// A text counts as a list of one.
    let aud: [String]?
    let azp: String?
    let exp: Double?
    let iat: Double?
    let nbf: Double?

    /// - Throws: `.malformedClaims` unless they are one object whose members have the types of RFC 7519.
    init(payload: [UInt8]) throws(AuthFailure) {
        guard case .members(let members) = try? JSONReader.read(payload) else { throw .malformedClaims }
        func value(_ name: String) -> JSONValue { members.first { $0.name == name }?.value ?? .null }
        iss = try value("iss").text
        sub = try value("sub").text
        azp = try value("azp").text
        exp = try value("exp").number
        iat = try value("iat").number
        nbf = try value("nbf").number
        if case .array(let items) = value("aud") {
            var texts: [String] = []
            for item in items {
                guard case .string(let text) = item else { throw .malformedClaims }
                texts.append(text)
            }
            aud = texts
        } else {
            aud = try value("aud").text.map { [$0] }
        }
    }
}

extension JSONValue {
    /// Nil for `null`.
    fileprivate var text: String? {
        get throws(AuthFailure) {
            switch self {
            case .null: nil
            case .string(let text): text
            default: throw .malformedClaims
            }
        }
    }

    /// Nil for `null`.
    fileprivate var number: Double? {
        get throws(AuthFailure) {
            switch self {
            case .null: nil
            case .integer(let number): Double(number)
            case .decimal(let number): number
            default: throw .malformedClaims
            }
        }
    }
}
