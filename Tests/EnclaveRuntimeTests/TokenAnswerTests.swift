import Foundation
import Sodium
import Testing

@testable import EnclaveRuntime

func secretBuffer(_ text: String, capacity: Int = 32 * 1024) -> SecretBuffer {
    var buffer = SecretBuffer(capacity: capacity)
    buffer.append(text)
    return buffer
}

func text(_ secret: borrowing SecretBytes) -> String {
    unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
}

/// An id token without a signature that means anything.
func idToken(_ claims: String) -> String {
    "eyJhbGciOiJSUzI1NiJ9.\(Base64.encodeURL(Array(claims.utf8))).c2ln"
}

@Suite struct TokenAnswerTests {
    private func fields(_ json: String) -> (access: String, refresh: String?, seconds: Int, scopes: [String])? {
        guard let answer = TokenAnswer(secretBuffer(json), clientID: "client-1") else { return nil }
        var refresh: String?
        switch answer.refreshToken {
        case .some(let token): refresh = text(token)
        case .none: break
        }
        return (text(answer.accessToken), refresh, answer.expiresInSeconds, answer.scopes)
    }

    @Test func readsTokensInPlace() throws {
        let found = try #require(
            fields(
                """
                { "access_token" : "ya29.a\\u003db\\/c", "expires_in":3599,"x":[1,{"access_token":"no"},-2.5e+3,true,null],
                  "refresh_token":"1//0g", "scope":"openid https:\\/\\/a b","token_type":"Bearer" }
                """))
        #expect(found.access == "ya29.a=b/c")
        #expect(found.refresh == "1//0g")
        #expect(found.seconds == 3599)
        #expect(found.scopes == ["openid", "https://a", "b"])
    }

    @Test(arguments: [
        "", "[]", "{}", "null", #"{"access_token":"a"}"#, #"{"expires_in":1}"#,
        #"{"access_token":"a","expires_in":0}"#, #"{"access_token":"a","expires_in":86401}"#,
        #"{"access_token":"a","expires_in":-1}"#, #"{"access_token":"a","expires_in":"60"}"#,
        #"{"access_token":"a","expires_in":1.5}"#, #"{"access_token":"","expires_in":60}"#,
        #"{"access_token":"a b","expires_in":60}"#, #"{"access_token":"a\n","expires_in":60}"#,
        #"{"access_token":"a\u00e9","expires_in":60}"#, #"{"access_token":"a\r\nX: y","expires_in":60}"#,
        #"{"access_token":"a","expires_in":60,"access_token":"b"}"#, #"{"access_token":1,"expires_in":60}"#,
        #"{"access_token":"a","expires_in":60} x"#, #"{"access_token":"a","expires_in":60"#,
        #"{"access_token":"a","expires_in":060}"#, #"{"access_token":"a","expires_in":60,}"#,
        #"{"access_token":"a","expires_in":60,"refresh_token":""}"#,
        #"{"access_token":"a","expires_in":60,"refresh_token":null}"#,
    ])
    func refuses(_ body: String) {
        #expect(fields(body) == nil)
    }

    @Test func refusesTokensThatAreTooLong() {
        let long = String(repeating: "a", count: TokenAnswer.maximumTokenBytes + 1)
        #expect(fields(#"{"access_token":"\#(long)","expires_in":60}"#) == nil)
        #expect(fields(#"{"access_token":"\#(long.dropLast())","expires_in":60}"#) != nil)
    }

    @Test func nestsOnlySoDeep() {
        func body(_ depth: Int) -> String {
            #"{"access_token":"a","expires_in":60,"x":\#(String(repeating: "[", count: depth))"#
                + "\(String(repeating: "]", count: depth))}"
        }
        #expect(fields(body(15)) != nil)
        #expect(fields(body(16)) == nil)
    }

    /// Whatever Foundation refuses as JSON is refused here; what is taken here is JSON.
    @Test func neverTakesWhatIsNotJSON() throws {
        let valid = Array(
            #"{"access_token":"ya29.x","expires_in":60,"scope":"a b","n":{"a":[1,2.5,"\u0041"]},"t":true}"#.utf8)
        var random = SystemRandomNumberGenerator()
        var taken = 0
        for _ in 0..<20_000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0...127, using: &random)
                case 1: bytes.remove(at: index)
                default: bytes.insert(#"{}[],:"\0e-u"#.utf8.randomElement(using: &random) ?? 0, at: index)
                }
            }
            let mine = unsafe bytes.withUnsafeBytes { unsafe JSONMembers.scan($0) { _, _ in } }
            guard mine else { continue }
            taken += 1
            let object = try? JSONSerialization.jsonObject(with: Data(bytes))
            #expect(object is [String: Any], "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(taken > 100)
    }

    @Test func namesTheAccountByIssuerAndSubject() {
        let token = idToken(#"{"iss":"https://accounts.google.com","sub":"42","aud":"client-1","exp":1}"#)
        let body = #"{"access_token":"a","expires_in":60,"id_token":"\#(token)"}"#
        guard let answer = TokenAnswer(secretBuffer(body), clientID: "client-1") else {
            Issue.record("refused")
            return
        }
        let hash = answer.accountHash
        #expect(hash == Hash.sha256(Array("https://accounts.google.com|42".utf8)))
    }

    @Test(arguments: [
        #"{"iss":"i","sub":"42","aud":"other"}"#, #"{"iss":"i","sub":"42"}"#, #"{"iss":"i","sub":"","aud":"client-1"}"#,
        #"{"iss":"i","sub":"42","aud":["client-1"]}"#, #"{"iss":"a|b","sub":"42","aud":"client-1"}"#,
        #"{"iss":"i","sub":"1","sub":"2","aud":"client-1"}"#, #"{"sub":"42","aud":"client-1"}"#, "not json",
    ])
    func refusesIDTokens(_ claims: String) {
        let token = Array(idToken(claims).utf8)
        #expect(unsafe token.withUnsafeBytes { unsafe IDToken.accountHash($0, clientID: "client-1") } == nil)
    }

    @Test(arguments: ["", ".", "..", "a.b", "a.b.c.d", "a.%%%.c", "a.AAAAA.c"])
    func refusesMalformedIDTokens(_ token: String) {
        let bytes = Array(token.utf8)
        #expect(unsafe bytes.withUnsafeBytes { unsafe IDToken.accountHash($0, clientID: "client-1") } == nil)
    }

    @Test(arguments: [
        (#"{"error":"invalid_grant","error_description":"x"}"#, TokenRefusal.invalidGrant),
        (#"{"error":"invalid_token"}"#, .invalidToken), (#"{"error":"access_denied"}"#, .accessDenied),
        (#"{"error":{"status":"invalid_grant"}}"#, .other), (#"{"error":"invalid_grant"} "#, .invalidGrant),
        (#"{"error":"invalid_grant""#, .other), ("<html>invalid_grant</html>", .other),
    ])
    func readsRefusals(_ body: String, _ expected: TokenRefusal) {
        let found = TokenRefusal(secretBuffer(body))
        #expect(found == expected)
    }

    @Test func encodesForms() {
        var form = SecretBuffer(capacity: 64)
        form.appendField("a", "x y&z=é")
        let secret = SecretBytes(copying: Array("1//0/+~".utf8))
        unsafe secret.withUnsafeBytes { unsafe form.appendField("token", secret: $0) }
        let written = unsafe form.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        #expect(written == "a=x%20y%26z%3D%C3%A9&token=1%2F%2F0%2F%2B~")
        let fits = !form.overflowed
        form.append(String(repeating: "x", count: 64))
        let (overflowed, count) = (form.overflowed, form.count)
        #expect(fits && overflowed && count == 64)
    }
}
