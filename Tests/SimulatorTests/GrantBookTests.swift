import Crypto
import Foundation
import Testing

@testable import SimulatorKit

@Suite final class GrantBookTests {
    private static let start = Date(timeIntervalSince1970: 1_800_000_000)
    private static let verifier = "verifier-of-forty-three-characters-or-more-x"
    private var book = GrantBook()
    private var mint = TokenMint()

    private func connect(_ code: String, account: String = "ada") throws -> IssuedTokens {
        let challenge = Base64URL.encode(SHA256.hash(data: Data(Self.verifier.utf8)))
        book.add(
            Consent(account: account, scopes: ["openid"], redirectURI: "r", challenge: challenge, offline: true),
            code: code, at: Self.start)
        return try exchange(code)
    }

    private func exchange(
        _ code: String, redirectURI: String = "r", verifier: String? = GrantBookTests.verifier,
        after seconds: Double = 0
    ) throws -> IssuedTokens {
        try book.exchange(
            code: code, redirectURI: redirectURI, verifier: verifier, at: Self.start.addingTimeInterval(seconds),
            mint: &mint)
    }

    private func refresh(_ token: String?) throws -> IssuedTokens {
        try book.refresh(try #require(token), at: Self.start, mint: &mint)
    }

    private func revoke(_ token: String) -> Bool {
        book.revoke(token, at: Self.start)
    }

    @Test func endsTheTokensOfACodeThatIsPresentedAgain() throws {
        let other = try connect("other")
        let tokens = try connect("code")
        #expect(throws: TokenRefusal.spentCode) { try exchange("code") }
        #expect(throws: TokenRefusal.deadRefreshToken) { try refresh(tokens.refreshToken) }
        #expect(book.bearer(tokens.accessToken, at: Self.start) == nil)
        #expect(try refresh(other.refreshToken).account == "ada")
    }

    @Test func refusesACodeWithAnotherVerifierRedirectOrAfterTenMinutes() throws {
        _ = try connect("spent")
        let challenge = Base64URL.encode(SHA256.hash(data: Data(Self.verifier.utf8)))
        book.add(
            Consent(account: "ada", scopes: [], redirectURI: "r", challenge: challenge, offline: true), code: "code",
            at: Self.start)
        #expect(throws: TokenRefusal.wrongVerifier) { try exchange("code", verifier: "another") }
        #expect(throws: TokenRefusal.missingVerifier) { try exchange("code", verifier: nil) }
        #expect(throws: TokenRefusal.otherRedirectURI) { try exchange("code", redirectURI: "s") }
        #expect(throws: TokenRefusal.expiredCode) { try exchange("code", after: 600) }
        #expect(throws: TokenRefusal.malformedCode) { try exchange("guess") }
        #expect(try exchange("code", after: 599).refreshToken != nil)
    }

    @Test func keepsTheRefreshTokenWithoutRotation() throws {
        let tokens = try connect("code")
        #expect(try refresh(tokens.refreshToken).refreshToken == nil)
        #expect(try refresh(tokens.refreshToken).refreshToken == nil)
    }

    @Test func strictRotationEndsThePreviousTokenAtOnce() throws {
        book.rotation = .strict
        let tokens = try connect("code")
        let second = try refresh(tokens.refreshToken)
        #expect(throws: TokenRefusal.deadRefreshToken) { try refresh(tokens.refreshToken) }
        #expect(try refresh(second.refreshToken).refreshToken != nil)
    }

    @Test func graceKeepsThePreviousTokenUntilTheNewOneIsUsed() throws {
        book.rotation = .grace
        let tokens = try connect("code")
        let lost = try refresh(tokens.refreshToken)
        let second = try refresh(tokens.refreshToken)
        #expect(second.refreshToken != lost.refreshToken)
        _ = try refresh(second.refreshToken)
        #expect(throws: TokenRefusal.deadRefreshToken) { try refresh(tokens.refreshToken) }
        #expect(throws: TokenRefusal.deadRefreshToken) { try refresh(lost.refreshToken) }
    }

    @Test func revokingAnyTokenEndsTheWholeGrantOfTheAccount() throws {
        let first = try connect("one")
        let second = try connect("two")
        let foreign = try connect("three", account: "bob")
        #expect(revoke(first.accessToken))
        #expect(throws: TokenRefusal.deadRefreshToken) { try refresh(second.refreshToken) }
        #expect(book.bearer(second.accessToken, at: Self.start) == nil)
        #expect(!revoke(try #require(first.refreshToken)))
        #expect(book.state(of: "ada") == .revoked)
        #expect(try refresh(foreign.refreshToken).account == "bob")
        _ = try connect("four")
        #expect(book.state(of: "ada") == .active)
    }

    @Test func accessTokensExpire() throws {
        let tokens = try connect("code")
        #expect(book.bearer(tokens.accessToken, at: Self.start.addingTimeInterval(3598)) != nil)
        #expect(book.bearer(tokens.accessToken, at: Self.start.addingTimeInterval(3599)) == nil)
    }

    @Test func theOldestOfAHundredAndOneRefreshTokensDies() throws {
        let tokens = try (0...100).map { try connect("code\($0)").refreshToken }
        #expect(throws: TokenRefusal.deadRefreshToken) { try refresh(tokens[0]) }
        #expect(try refresh(tokens[1]).account == "ada")
    }
}
