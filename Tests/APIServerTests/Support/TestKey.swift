import Crypto
import CryptoExtras
import Foundation

/// A key pair of a made-up identity provider.
struct TestKey: Sendable {
    let id: String
    private let key: _RSA.Signing.PrivateKey

    init(id: String) throws {
        self.id = id
        key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
    }

    /// The public half as a JSON Web Key, with members replaced or, when nil, left out.
    func jwk(_ changes: [String: String?] = [:]) throws -> String {
        let primitives = try key.publicKey.getKeyPrimitives()
        var members: [String: String?] = [
            "kid": id, "kty": "RSA", "use": "sig", "alg": "RS256", "n": Self.encode(primitives.modulus),
            "e": Self.encode(primitives.publicExponent),
        ]
        for (name, value) in changes { members[name] = .some(value) }
        let present = members.compactMapValues { $0 }
        return String(decoding: try JSONEncoder().encode(present), as: UTF8.self)
    }

    static func set(_ keys: [String]) -> String { "{\"keys\":[\(keys.joined(separator: ","))]}" }

    /// A compact token over exactly these texts.
    func sign(header: String? = nil, claims: String) throws -> String {
        let head = header ?? "{\"alg\":\"RS256\",\"kid\":\"\(id)\",\"typ\":\"JWT\"}"
        let input = Self.encode(Data(head.utf8)) + "." + Self.encode(Data(claims.utf8))
        let signature = try key.signature(for: SHA256.hash(data: Data(input.utf8)), padding: .insecurePKCS1v1_5)
        return input + "." + Self.encode(signature.rawRepresentation)
    }

    static func encode(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    /// Claims that pass, with members replaced by raw JSON or, when nil, left out.
    static func claims(_ changes: [String: String?] = [:], now: Int = Int(Date().timeIntervalSince1970)) -> String {
        var members: [String: String?] = [
            "iss": "\"https://clerk.alfred.test/\"", "aud": "\"alfred\"", "sub": "\"user_2abc\"",
            "iat": "\(now - 5)", "exp": "\(now + 60)",
        ]
        for (name, value) in changes { members[name] = .some(value) }
        return "{" + members.compactMapValues { $0 }.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }
}
