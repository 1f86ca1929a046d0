import FoundationEssentials
import JWTKit

/// One RSA key of the provider, fit for RS256.
///
/// It is a collection of one: a library that holds several keys may choose another than the token names.
struct VerificationKey: Sendable {
    private let collection: JWTKeyCollection

    /// Nil for a modulus under 2048 bits or an exponent that is even or below 65537.
    init?(modulus: String, exponent: String, keyID: String) async {
        guard Base64URL.isUnpadded(modulus[...]), let e = Base64URL.decode(exponent[...]), e.count <= 8,
            let key = try? Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent),
            let n = try? key.getKeyPrimitives().modulus.drop(while: { $0 == 0 }), let top = n.first,
            n.count * 8 - top.leadingZeroBitCount >= 2048
        else { return nil }
        let value = e.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard value >= 65537, value % 2 == 1 else { return nil }
        collection = await JWTKeyCollection().add(
            rsa: key, digestAlgorithm: .sha256, kid: JWKIdentifier(string: keyID))
    }

    /// The claims of a token whose signature this key made.
    func claims(of token: BearerToken) async throws(AuthFailure) -> ClerkClaims {
        do {
            return try await collection.verify(token.text, as: ClerkClaims.self)
        } catch let error as JWTError where error.errorType == .signatureVerificationFailed {
            throw .badSignature
        } catch {
            throw .malformedClaims
        }
    }
}

/// The claims that are read; judged by `ClerkTokenRules`, not by the library.
struct ClerkClaims: JWTPayload {
    let iss: String?
    let sub: String?
    let aud: Audience?
    let azp: String?
    let exp: Double?
    let iat: Double?
    let nbf: Double?

    /// A text or a list of texts.
    enum Audience: Codable, Sendable, Equatable {
        case one(String)
        case several([String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let one = try? container.decode(String.self) {
                self = .one(one)
            } else {
                self = .several(try container.decode([String].self))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .one(let one): try container.encode(one)
            case .several(let several): try container.encode(several)
            }
        }

        func contains(_ text: String) -> Bool {
            switch self {
            case .one(let one): one == text
            case .several(let several): several.contains(text)
            }
        }
    }

    func verify(using algorithm: some JWTAlgorithm) async throws {}
}
