import Crypto
import CryptoExtras
import Foundation

/// An RSA key that signs JSON Web Tokens, wrong ones included.
struct RSASigningKey: Sendable {
    let id: String
    private let key: _RSA.Signing.PrivateKey

    /// A new 2048-bit key.
    init() throws {
        id = "sim_" + Base64URL.random(bytes: 15)
        key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
    }

    /// The public half as a JSON Web Key.
    var publicJWK: JSONValue {
        get throws {
            let primitives = try key.publicKey.getKeyPrimitives()
            return [
                "use": "sig", "kty": "RSA", "alg": "RS256", "kid": .string(id),
                "n": .string(Base64URL.encode(primitives.modulus)),
                "e": .string(Base64URL.encode(primitives.publicExponent)),
            ]
        }
    }

    /// The public half as PEM: what a confused verifier would use as an HMAC key.
    var publicPEM: String {
        key.publicKey.pemRepresentation
    }

    /// A token in compact form, RS256 unless `header` says so.
    func sign(_ claims: [String: JSONValue], header: [String: JSONValue]? = nil) throws -> String {
        let header = header ?? ["alg": "RS256", "typ": "JWT", "kid": .string(id)]
        let input = Self.signingInput(header, claims)
        let signature = try key.signature(
            for: SHA256.hash(data: Data(input.utf8)), padding: .insecurePKCS1v1_5)
        return input + "." + Base64URL.encode(signature.rawRepresentation)
    }

    static func signingInput(_ header: [String: JSONValue], _ claims: [String: JSONValue]) -> String {
        Base64URL.encode(JSONValue.object(header).bytes) + "." + Base64URL.encode(JSONValue.object(claims).bytes)
    }
}
