import Crypto
import CryptoExtras
import Foundation
import NIOHTTP1
import SimulatorKit
import Testing

@Suite struct ClerkTests {
    private struct KeySet: Decodable {
        struct Key: Decodable {
            var kid, kty, alg, n, e: String
        }
        var keys: [Key]
    }

    /// The key set, and its age in the caches.
    private func keySet(_ world: World) async throws -> (KeySet, String?) {
        let answer = try await world.send(.GET, world.endpoints.clerk + "/.well-known/jwks.json")
        return (try answer.decode(KeySet.self), answer.headers.first(name: "cache-control"))
    }

    private func verify(_ token: String, _ set: KeySet) throws -> Bool {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        let header = try JSONDecoder().decode(JSONValue.self, from: try #require(data(parts[0])))
        guard header["alg"]?.text == "RS256", let key = set.keys.first(where: { $0.kid == header["kid"]?.text }) else {
            return false
        }
        let publicKey = try _RSA.Signing.PublicKey(n: try #require(data(key.n)), e: try #require(data(key.e)))
        return publicKey.isValidSignature(
            .init(rawRepresentation: try #require(data(parts[2]))),
            for: SHA256.hash(data: Data("\(parts[0]).\(parts[1])".utf8)), padding: .insecurePKCS1v1_5)
    }

    private func data(_ text: some StringProtocol) -> Data? {
        let plain = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        return Data(base64Encoded: plain + String(repeating: "=", count: (4 - plain.count % 4) % 4))
    }

    @Test func mintsTokensThatItsKeySetVerifies() async throws {
        try await withWorld { world in
            let (set, cache) = try await keySet(world)
            #expect(cache == "public, max-age=300" && set.keys.count == 1)
            let token = try await world.control.mintToken(subject: "user_1")
            #expect(try verify(token, set))
            let claims = try JSONDecoder().decode(
                JSONValue.self, from: try #require(data(token.split(separator: ".")[1])))
            #expect(claims["iss"]?.text == world.endpoints.clerk && claims["sub"]?.text == "user_1")
        }
    }

    @Test(arguments: [
        TokenFlaw.unknownKey, .foreignSignature, .missingKeyID, .algorithmNone, .algorithmHS256,
    ])
    func flawedTokensDoNotVerify(_ flaw: TokenFlaw) async throws {
        try await withWorld { world in
            let token = try await world.control.mintToken(TokenRequest(subject: "user_1", flaw: flaw))
            #expect(try await !verify(token, keySet(world).0))
        }
    }

    @Test func rotatesItsKeys() async throws {
        try await withWorld { world in
            let old = try await world.control.mintToken(subject: "user_1")
            _ = try await world.control.rotateClerkKeys(keepOld: true)
            #expect(try await verify(old, keySet(world).0))
            let kid = try await world.control.rotateClerkKeys(keepOld: false)
            let (set, _) = try await keySet(world)
            #expect(set.keys.map(\.kid) == [kid])
            #expect(try !verify(old, set))
            #expect(try verify(try await world.control.mintToken(subject: "user_1"), set))
        }
    }
}
