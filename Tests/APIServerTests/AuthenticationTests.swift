import EnclaveProtocol
import Foundation
import HostRuntime
import Testing

@testable import APIServer

@Suite struct UserIdentityTests {
    @Test func matchesThePublishedVector() {
        let user = UserIdentity.userID(issuer: "https://clerk.alfred.test/", subject: "user_2abc")
        #expect(user.uuid.lowercased == "4c412d1e-22cb-58fe-a15b-c5854d883a01")
        #expect(user == UserIdentity.userID(issuer: "https://clerk.alfred.test", subject: "user_2abc"))
    }
}

@Suite struct TokenTests {
    private let key: TestKey
    private let other: TestKey

    init() throws {
        key = try TestKey(id: "key-1")
        other = try TestKey(id: "key-1")
    }

    private func reason(_ header: String?) -> AuthFailure? {
        do throws(AuthFailure) {
            _ = try BearerToken(authorization: header)
            return nil
        } catch {
            return error
        }
    }

    @Test func readsTheSchemeInAnyCase() throws {
        let token = try key.sign(claims: TestKey.claims())
        #expect(try BearerToken(authorization: "bEaReR  \(token) ").keyID == "key-1")
    }

    @Test func refusesWhatIsNoToken() throws {
        let token = try key.sign(claims: TestKey.claims())
        #expect(reason(nil) == .missingToken)
        #expect(reason("Basic abc") == .missingToken)
        #expect(reason("Bearer ") == .missingToken)
        #expect(reason("Bearer a.b") == .malformedToken)
        #expect(reason("Bearer \(token)=") == .malformedToken)
        #expect(reason("Bearer ." + token.drop { $0 != "." }.dropFirst()) == .malformedToken)
        #expect(reason("Bearer " + String(repeating: "a", count: 8193)) == .malformedToken)
    }

    @Test(arguments: [
        #"{"alg":"none","kid":"key-1"}"#, #"{"alg":"HS256","kid":"key-1"}"#, #"{"alg":"RS512","kid":"key-1"}"#,
        #"{"alg":"RS256","kid":"key-1","crit":["exp"]}"#, #"{"kid":"key-1"}"#,
    ])
    func refusesOtherAlgorithmsAndCriticalExtensions(_ header: String) throws {
        #expect(reason("Bearer " + (try key.sign(header: header, claims: TestKey.claims()))) == .wrongAlgorithm)
    }

    @Test(arguments: [#"{"alg":"RS256"}"#, #"{"alg":"RS256","kid":""}"#, #"{"alg":"RS256","kid":7}"#])
    func refusesATokenWithoutKeyID(_ header: String) throws {
        #expect(reason("Bearer " + (try key.sign(header: header, claims: TestKey.claims()))) == .malformedToken)
    }

    @Test func verifiesWithTheNamedKeyAndNoOther() async throws {
        let set = KeySet.parse(
            TestKey.set([try key.jwk()]), fetchedAt: 0, expiresAt: 1, staleUntil: 2
        ).set
        let verification = try #require(set?.keys["key-1"])
        let good = try BearerToken(authorization: "Bearer " + key.sign(claims: TestKey.claims()))
        #expect(try verification.claims(of: good).sub == "user_2abc")
        let forged = try BearerToken(authorization: "Bearer " + other.sign(claims: TestKey.claims()))
        #expect(throws: AuthFailure.badSignature) { try verification.claims(of: forged) }
        let odd = try BearerToken(authorization: "Bearer " + key.sign(claims: #"{"exp":"soon"}"#))
        #expect(throws: AuthFailure.malformedClaims) { try verification.claims(of: odd) }
    }
}

@Suite struct ClaimRuleTests {
    private let rules = ClerkTokenRules(
        issuer: "https://clerk.alfred.test/", audience: "alfred", authorizedParties: nil)
    private let now = 1_800_000_000

    private func verdict(_ changes: [String: String?], _ rules: ClerkTokenRules? = nil) throws -> AuthFailure? {
        let claims = try ClerkClaims(payload: Array(TestKey.claims(changes, now: now).utf8))
        do throws(AuthFailure) {
            _ = try (rules ?? self.rules).user(of: claims, now: Double(now))
            return nil
        } catch {
            return error
        }
    }

    @Test func acceptsWithinTheLeeway() throws {
        #expect(try verdict([:]) == nil)
        #expect(try verdict(["aud": #"["x","alfred"]"#]) == nil)
        #expect(try verdict(["exp": "\(now - 60)"]) == nil)
        #expect(try verdict(["iat": "\(now + 60)", "nbf": "\(now + 60)"]) == nil)
        #expect(try verdict(["sub": #""  user_2abc  ""#]) == nil)
    }

    @Test func refusesByRule() throws {
        #expect(try verdict(["iss": #""https://clerk.alfred.test""#]) == .claimMismatch)
        #expect(try verdict(["iss": nil]) == .claimMismatch)
        #expect(try verdict(["aud": #""other""#]) == .claimMismatch)
        #expect(try verdict(["aud": nil]) == .claimMismatch)
        #expect(try verdict(["exp": nil]) == .malformedClaims)
        #expect(try verdict(["iat": nil]) == .malformedClaims)
        #expect(try verdict(["exp": "\(now - 61)"]) == .expiredToken)
        #expect(try verdict(["iat": "\(now + 61)"]) == .notYetValid)
        #expect(try verdict(["nbf": "\(now + 61)"]) == .notYetValid)
        #expect(try verdict(["sub": nil]) == .invalidSubject)
        #expect(try verdict(["sub": #""   ""#]) == .invalidSubject)
        #expect(try verdict(["sub": "\"" + String(repeating: "a", count: 256) + "\""]) == .invalidSubject)
    }

    @Test func checksThePartyWhenAListIsSet() throws {
        let strict = ClerkTokenRules(
            issuer: "https://clerk.alfred.test/", audience: "alfred", authorizedParties: ["https://app.test"])
        #expect(try verdict(["azp": #""https://app.test""#], strict) == nil)
        #expect(try verdict(["azp": #""https://evil.test""#], strict) == .partyNotAuthorized)
        #expect(try verdict([:], strict) == .partyNotAuthorized)
    }
}

@Suite struct KeySetTests {
    @Test func judgesKeysOneByOne() async throws {
        let good = try TestKey(id: "good")
        let odd = try [
            good.jwk(["kid": nil]), good.jwk(["kid": "a", "kty": "EC"]), good.jwk(["kid": "b", "use": "enc"]),
            good.jwk(["kid": "c", "alg": "RS512"]), good.jwk(["kid": "d", "e": "Aw"]),
            good.jwk(["kid": "e", "n": "AQAB"]),
            good.jwk(["kid": "f", "e": "AQAC"]), good.jwk(["kid": "g", "n": "!"]), "7", "{\"kid\":{}}",
        ]
        let parsed = KeySet.parse(
            TestKey.set(odd + [try good.jwk(["use": nil, "alg": nil])]), fetchedAt: 0, expiresAt: 1, staleUntil: 2)
        #expect(parsed.set.map { Array($0.keys.keys) } == ["good"])
        #expect(parsed.ignored == odd.count)
    }

    @Test func aSetWithoutUsableKeyIsNone() async {
        let parsed = KeySet.parse("{\"keys\":[{}]}", fetchedAt: 0, expiresAt: 1, staleUntil: 2)
        #expect(parsed.set == nil)
        #expect(parsed.ignored == 1)
        #expect(KeySet.parse("[]", fetchedAt: 0, expiresAt: 1, staleUntil: 2).set == nil)
    }
}
