import EnclaveProtocol
import EnclaveVault
import Foundation
import Sodium
import Synchronization
import Testing

@testable import EnclaveRuntime

@Suite struct ConnectTests {
    private let harness: OperationHarness
    private let stateID = OAuthStateID(UUID())
    private let redirect = "http://127.0.0.1:8080/oauth/google/callback"
    private static let gmail = "https://www.googleapis.com/auth/gmail.readonly"

    init() throws { harness = try OperationHarness() }

    private func begin(_ state: String = "st_1", redirect: String? = nil) throws(EnclaveFailure)
        -> GoogleConnectBeginAnswer
    {
        try harness.run(
            .googleConnectBegin,
            GoogleConnectBegin(
                user: harness.reference.user, stateID: stateID, redirectURI: redirect ?? self.redirect, state: state))
    }

    private func complete(
        _ sealed: [UInt8], state: String = "st_1", stateID: OAuthStateID? = nil
    ) throws(EnclaveFailure) -> GoogleConnectCompleteAnswer {
        try harness.run(
            .googleConnectComplete,
            GoogleConnectComplete(
                user: harness.reference.user, connector: harness.reference.connector, stateID: stateID ?? self.stateID,
                state: state, sealedVerifier: sealed, code: "4/0code"))
    }

    private func answer(
        token: String? = "new", scope: String = "openid \(gmail)", sub: String = "42", audience: String = "client-1"
    ) -> String {
        let claims = #"{"iss":"https://accounts.google.com","sub":"\#(sub)","aud":"\#(audience)"}"#
        let refresh = token.map { #","refresh_token":"\#($0)""# } ?? ""
        return
            #"{"access_token":"a","expires_in":3600,"scope":"\#(scope)","id_token":"\#(idToken(claims))"\#(refresh)}"#
    }

    private func googleAnswers(_ status: Int, _ body: String) {
        harness.google.state.withLock { $0.onToken = { _ in (status, body) } }
    }

    private func outcome() throws -> EnclaveErrorCode? {
        let sealed = try begin().sealedVerifier
        return harness.refusal { () throws(EnclaveFailure) in _ = try complete(sealed) }
    }

    @Test func sendsTheUserToGoogleWithAChallenge() throws {
        let answer = try begin()
        let url = try #require(URLComponents(string: answer.authorizationURL))
        let query = Dictionary(uniqueKeysWithValues: (url.queryItems ?? []).map { ($0.name, $0.value ?? "") })
        #expect(url.host == "accounts.google.com")
        #expect(query["client_id"] == "client-1")
        #expect(query["redirect_uri"] == redirect)
        #expect(query["scope"] == Operations.scopes.joined(separator: " "))
        #expect(query["access_type"] == "offline")
        #expect(query["prompt"] == "consent")
        #expect(query["state"] == "st_1")
        #expect(query["code_challenge_method"] == "S256")

        googleAnswers(200, self.answer())
        #expect(
            try complete(answer.sealedVerifier)
                == GoogleConnectCompleteAnswer(scopes: [Self.gmail], recordVersion: 1, accountChanged: false))
        let form = try #require(harness.google.state.withLock { $0.tokenForms.first })
        let verifier = try #require(form["code_verifier"])
        #expect(verifier.utf8.count == 43)
        #expect(Base64.decodeURL(verifier)?.count == 32)
        #expect(query["code_challenge"] == Base64.encodeURL(Hash.sha256(Array(verifier.utf8))))
        #expect(form["code"] == "4/0code")
        #expect(form["client_secret"] == "s3cret/value")
        #expect(form["grant_type"] == "authorization_code")
        #expect(try harness.storedToken() == "new")
        // The access token that came along is used; no refresh is needed.
        #expect(try harness.get().status == 200)
        #expect(harness.google.refreshes.isEmpty)
    }

    @Test func refusesAnotherRedirectURI() {
        #expect(
            harness.refusal { () throws(EnclaveFailure) in _ = try begin(redirect: "https://evil.test/") }
                == .redirectURIMismatch)
    }

    @Test func aVerifierOpensForItsStateOnly() throws {
        googleAnswers(200, answer())
        let sealed = try begin().sealedVerifier
        #expect(
            harness.refusal { () throws(EnclaveFailure) in _ = try complete(sealed, state: "st_2") }
                == .sealedDataRejected)
        #expect(
            harness.refusal { () throws(EnclaveFailure) in
                _ = try complete(sealed, stateID: OAuthStateID(UUID()))
            } == .sealedDataRejected)
        #expect(harness.google.state.withLock { $0.tokenForms }.isEmpty)
    }

    @Test func aVerifierGrowsTooOld() throws {
        let secret = SecretBytes(copying: Array(String(repeating: "v", count: 43).utf8))
        let sealed = try harness.operations.vault.sealVerifier(
            secret, issuedAt: UInt64(Date().timeIntervalSince1970) - 3605,
            stateHash: Hash.sha256(Array("st_1".utf8)), user: harness.reference.user, state: stateID,
            port: harness.store)
        #expect(harness.refusal { () throws(EnclaveFailure) in _ = try complete(sealed) } == .sealedDataRejected)
    }

    @Test(arguments: [
        (400, #"{"error":"invalid_grant"}"#, EnclaveErrorCode.codeRejected),
        (400, #"{"error":"access_denied"}"#, .consentDenied), (401, #"{"error":"invalid_client"}"#, .providerFailed),
        (500, "", .providerFailed), (200, "{}", .providerResponseInvalid),
        (200, #"{"access_token":"a","expires_in":3600,"refresh_token":"r"}"#, .providerResponseInvalid),
    ])
    func namesWhatGoogleAnswered(_ status: Int, _ body: String, _ code: EnclaveErrorCode) throws {
        googleAnswers(status, body)
        #expect(try outcome() == code)
        #expect(harness.storedVersion == nil)
    }

    @Test func refusesAnIdTokenForAnotherClient() throws {
        googleAnswers(200, answer(audience: "other"))
        #expect(try outcome() == .providerResponseInvalid)
    }

    @Test func needsARefreshToken() throws {
        googleAnswers(200, answer(token: nil))
        #expect(try outcome() == .refreshTokenMissing)
    }

    @Test func revokesAGrantWithoutAUsefulScope() throws {
        googleAnswers(200, answer(scope: "openid"))
        #expect(try outcome() == .scopesInsufficient)
        #expect(harness.google.state.withLock { $0.revoked } == ["new"])
    }

    @Test func reconnectingTheSameAccountRevokesNothing() throws {
        try harness.plant("old", version: 4)
        googleAnswers(200, answer())
        let answer = try complete(try begin().sealedVerifier)
        #expect(answer.recordVersion == 5)
        #expect(!answer.accountChanged)
        #expect(harness.google.state.withLock { $0.revoked }.isEmpty)
    }

    @Test func anotherAccountsTokenIsRevokedFirst() throws {
        try harness.plant("old", version: 4, account: "99")
        googleAnswers(200, answer())
        #expect(try complete(try begin().sealedVerifier).accountChanged)
        #expect(harness.google.state.withLock { $0.revoked } == ["old"])
    }

    @Test func withoutThatRevocationTheNewGrantGoesInstead() throws {
        try harness.plant("old", version: 4, account: "99")
        googleAnswers(200, answer())
        harness.google.state.withLock { $0.onRevoke = { token in token == "old" ? (503, "") : (200, "{}") } }
        #expect(try outcome() == .replacedTokenNotRevoked)
        #expect(harness.google.state.withLock { $0.revoked } == ["old", "new"])
        #expect(try harness.storedToken() == "old")
    }

    @Test func reconnectsOverATombstone() throws {
        try harness.plantTombstone(version: 7)
        googleAnswers(200, answer())
        #expect(try complete(try begin().sealedVerifier).recordVersion == 8)
    }

    @Test func aDeletedUsersNewGrantIsRevoked() throws {
        googleAnswers(200, answer())
        harness.store.state.withLock { $0.refusesPuts = true }
        #expect(try outcome() == .recordRefused)
        #expect(harness.google.state.withLock { $0.revoked } == ["new"])
    }

    @Test func writesOverARefreshThatWasFaster() throws {
        try harness.plant("old", version: 1)
        googleAnswers(200, answer())
        harness.store.state.withLock { [harness] state in
            state.beforePut = { _ in try? harness.plant("rotated", version: 2) }
        }
        #expect(try complete(try begin().sealedVerifier).recordVersion == 3)
        #expect(try harness.storedToken() == "new")
    }

    @Test func aLostAcknowledgementIsNoConflict() throws {
        googleAnswers(200, answer())
        harness.store.state.withLock { $0.lostAnswers = 1 }
        #expect(try complete(try begin().sealedVerifier).recordVersion == 1)
        #expect(try harness.storedToken() == "new")
    }
}
