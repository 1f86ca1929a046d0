import EnclaveProtocol
import Foundation
@testable import HostStorage
import Testing

@testable import APIServer

/// What is remembered of a token saves arithmetic and changes no verdict.
@Suite struct VerifiedTokenTests {
    private let key: TestKey
    private let other: TestKey

    init() throws {
        key = try TestKey(id: "key-1")
        other = try TestKey(id: "key-1")
    }

    private func verification(_ key: TestKey) throws -> VerificationKey {
        let set = KeySet.parse(TestKey.set([try key.jwk()]), fetchedAt: 0, expiresAt: 1, staleUntil: 2).set
        return try #require(set?.keys["key-1"])
    }

    private func remember(_ token: String, in tokens: VerifiedTokens, _ key: VerificationKey) throws {
        let parsed = try BearerToken(text: token)
        let digest = try #require(tokens.digest(of: token))
        tokens.insert(digest, keyID: parsed.keyID, key: key, try key.claims(of: parsed))
    }

    @Test func remembersTheClaimsOfATokenAndOfNoOther() throws {
        let (tokens, verification) = (VerifiedTokens(capacity: 10), try verification(key))
        let token = try key.sign(claims: TestKey.claims())
        try remember(token, in: tokens, verification)
        let digest = try #require(tokens.digest(of: token))
        #expect(tokens.claims(digest) { $0 == "key-1" ? verification : nil }?.sub == "user_2abc")
        let changed = try #require(tokens.digest(of: token.dropLast() + (token.hasSuffix("A") ? "Q" : "A")))
        #expect(tokens.claims(changed) { _ in verification } == nil)
    }

    @Test func forgetsATokenWhoseKeyIsGoneOrReplaced() throws {
        let (tokens, verification) = (VerifiedTokens(capacity: 10), try verification(key))
        let token = try key.sign(claims: TestKey.claims())
        try remember(token, in: tokens, verification)
        let digest = try #require(tokens.digest(of: token))
        let replaced = try self.verification(other)
        #expect(tokens.claims(digest) { _ in nil } == nil)
        #expect(tokens.claims(digest) { _ in replaced } == nil)
        #expect(tokens.claims(digest) { _ in verification } != nil)
    }

    @Test func keepsNoMoreThanItMayAndWhatIsAskedForLongest() throws {
        let (tokens, verification) = (VerifiedTokens(capacity: 8), try verification(key))
        let texts = (0..<12).map { "token-\($0)" }
        let claims = try ClerkClaims(payload: Array(TestKey.claims().utf8))
        for text in texts {
            let digest = try #require(tokens.digest(of: text))
            tokens.insert(digest, keyID: "key-1", key: verification, claims)
            let first = try #require(tokens.digest(of: texts[0]))
            #expect(tokens.claims(first) { _ in verification } != nil)
        }
        let kept = try texts.filter { text in
            let digest = try #require(tokens.digest(of: text))
            return tokens.claims(digest) { _ in verification } != nil
        }
        #expect(kept.count <= 8 && kept.contains("token-11") && !kept.contains("token-1"))
    }

    @Test func remembersNothingWithoutCapacity() {
        #expect(VerifiedTokens(capacity: 0).digest(of: "token") == nil)
    }

    @Test(arguments: ["0", "100"])
    func judgesEveryRuleAtEachRequest(_ remembered: String) async throws {
        try await TestServer.run(changes: ["CLERK_VERIFIED_TOKENS": remembered]) { server in
            let now = Int(Date().timeIntervalSince1970)
            // It expires within the leeway, so that it is good now and not after a second or two.
            let claims = TestKey.claims(["sub": "\"user_\(UUID())\"", "exp": "\(now - 59)", "iat": "\(now - 90)"])
            let token = try server.key.sign(claims: claims)
            let begin = ContinuousClock.now
            var status = 200
            while status == 200, ContinuousClock.now - begin < .seconds(10) {
                status = try await server.send("GET", "/v1/connectors", token: token).status
            }
            #expect(status == 401)

            let (user, good) = try server.signIn()
            for _ in 0..<2 { #expect(try await server.send("GET", "/v1/connectors", token: good).status == 200) }
            let forged = try TestKey(id: server.key.id).sign(claims: TestKey.claims())
            #expect(try await server.send("GET", "/v1/connectors", token: forged).status == 401)
            _ = try await server.pool.query(
                .write("update alfred.users set status = 'DELETED', deleted_at = now() where id = $1"),
                [.uuid(user.uuid)])
            server.accounts.forget(user)
            #expect(try await server.send("GET", "/v1/connectors", token: good).code == "account_deleted")
        }
    }
}
