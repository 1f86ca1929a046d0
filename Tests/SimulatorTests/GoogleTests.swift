import Foundation
import NIOHTTP1
import SimulatorKit
import Testing

@Suite struct GoogleTests {
    @Test func connectsReadsTheCalendarAndRevokes() async throws {
        try await withWorld { world in
            let event = CalendarEvent(id: "e1", summary: "Standup", start: Date().addingTimeInterval(900))
            try await world.control.setEvents(account: "ada@example.com", [event])
            let tokens = try await world.connect()
            let access = try #require(tokens["access_token"])
            let listed = try await world.events(access, "singleEvents=true&orderBy=startTime&fields=items(id,summary)")
            #expect(listed.status == 200)
            #expect(listed["items", "0", "summary"] == "Standup")
            #expect(listed["items", "0", "status"] == nil)
            let revoked = try await world.form("/revoke", ["token": try #require(tokens["refresh_token"])])
            #expect(revoked.status == 200 && revoked.body == Data("{}".utf8))
            #expect(try await world.control.isRevoked(account: "ada@example.com"))
            let refused = try await world.events(access)
            #expect(refused.status == 401 && refused["error", "errors", "0", "reason"] == "authError")
            let dead = try await world.refresh(try #require(tokens["refresh_token"]))
            #expect(dead.status == 400 && dead["error"] == "invalid_grant")
            let again = try await world.form("/revoke", ["token": access])
            #expect(again.status == 400 && again["error"] == "invalid_token")
        }
    }

    @Test func refusesAnotherVerifierAndASpentCode() async throws {
        try await withWorld { world in
            let pkce = PKCE()
            let consented = try await world.authorize(pkce)
            #expect(consented.answer.status == 302 && consented.query["state"] == "st_1")
            let code = try #require(consented.query["code"])
            let wrong = try await world.exchange(code, PKCE())
            #expect(wrong.status == 400 && wrong["error_description"] == "Invalid code verifier.")
            let tokens = try await world.exchange(code, pkce)
            #expect(tokens.status == 200)
            let spent = try await world.exchange(code, pkce)
            #expect(spent.status == 400 && spent["error"] == "invalid_grant")
            #expect(try await world.refresh(try #require(tokens["refresh_token"])).status == 400)
        }
    }

    @Test func refusesAWrongSecretAnUnknownClientAndOtherGrantTypes() async throws {
        try await withWorld { world in
            let wrong = try await world.refresh("x", secret: "no")
            #expect(wrong.status == 401 && wrong["error"] == "invalid_client")
            let unknown = try await world.form("/token", ["client_id": "who", "grant_type": "refresh_token"])
            #expect(unknown.status == 401 && unknown["error_description"] == "The OAuth client was not found.")
            let other = try await world.form(
                "/token",
                ["client_id": "test-client", "client_secret": World.clientSecret, "grant_type": "password"])
            #expect(other.status == 400 && other["error"] == "unsupported_grant_type")
            let doubled = try await world.send(
                .POST, world.endpoints.google + "/token",
                headers: [("content-type", "application/x-www-form-urlencoded")], body: "client_id=a&client_id=b")
            #expect(doubled.status == 400 && doubled["error"] == "invalid_request")
        }
    }

    @Test(arguments: [
        ("client_id", "who", 401), ("redirect_uri", "https://evil.test/", 400), ("response_type", "token", 400),
        ("scope", "https://www.googleapis.com/auth/everything", 400), ("code_challenge", "short", 400),
        ("code_challenge_method", "plain", 400), ("state", "", 400),
    ])
    func consentPageRefuses(_ name: String, _ value: String, _ status: Int) async throws {
        try await withWorld { world in
            let refused = try await world.authorize(PKCE(), changing: [name: value])
            #expect(refused.answer.status == status && refused.query.isEmpty)
        }
    }

    @Test func aPersonMayRefuseOrGrantLess() async throws {
        try await withWorld { world in
            let refused = try await world.authorize(
                PKCE(), changing: ["simulator_account": "bob@example.com", "simulator_decision": "deny"])
            #expect(refused.query == ["error": "access_denied", "state": "st_1"])
            let tokens = try await world.connect(scopes: ["openid", World.gmail])
            let listed = try await world.events(try #require(tokens["access_token"]))
            #expect(listed.status == 403 && listed["error", "errors", "0", "reason"] == "insufficientPermissions")
            try await world.control.setConsent(nil)
            let page = try await world.send(
                .GET,
                world.endpoints.google + "/o/oauth2/v2/auth?"
                    + World.encode([
                        "client_id": "test-client", "redirect_uri": World.redirectURI, "response_type": "code",
                        "scope": "openid", "state": "s", "code_challenge": PKCE().challenge,
                        "code_challenge_method": "S256",
                    ]))
            #expect(page.status == 200 && String(decoding: page.body, as: UTF8.self).contains("simulator_account="))
        }
    }

    @Test func plantsTokensAndReportsEverySecretItSaw() async throws {
        try await withWorld { world in
            try await world.control.setRotation(.grace)
            try await world.control.setTokens(
                TokenSettings(
                    nextRefreshTokens: ["canary-refresh-1", "canary-refresh-2"], nextAccessTokens: ["canary-access"]))
            let tokens = try await world.connect()
            #expect(tokens["refresh_token"] == "canary-refresh-1" && tokens["access_token"] == "canary-access")
            #expect(try await world.refresh("canary-refresh-1")["refresh_token"] == "canary-refresh-2")
            _ = try await world.events("canary-access")
            let secrets = try await world.control.issuedSecrets()
            func seen(_ kind: SecretKind, _ value: String) -> Int? {
                secrets.first { $0.kind == kind && $0.value == value }?.seen
            }
            #expect(seen(.refreshToken, "canary-refresh-1") == 1)
            #expect(seen(.refreshToken, "canary-refresh-2") == 0)
            #expect(seen(.accessToken, "canary-access") == 1)
            #expect(seen(.clientSecret, World.clientSecret) == 2)
            #expect(secrets.contains { $0.kind == .codeVerifier && $0.seen == 1 })
            #expect(try await world.control.count(of: .refresh) == 1)
        }
    }

    @Test func pagesTheMailboxAndGivesTheHeadersAskedFor() async throws {
        try await withWorld { world in
            let now = Int(Date().timeIntervalSince1970 * 1000)
            let messages = (1...3).map { index in
                GmailMessage(
                    id: "m\(index)", snippet: "s", internalDate: now - index * 86_400_000,
                    headers: [.init(name: "From", value: "eve@example.com"), .init(name: "X-Secret", value: "x")])
            }
            try await world.control.setMessages(account: "ada@example.com", messages)
            let tokens = try await world.connect(scopes: [World.gmail])
            let bearer = [("authorization", "Bearer " + (try #require(tokens["access_token"])))]
            let base = world.endpoints.google + "/gmail/v1/users/me/messages"
            let first = try await world.send(.GET, base + "?labelIds=INBOX&maxResults=1", headers: bearer)
            #expect(first["messages", "0", "id"] == "m1")
            let page = try #require(first["nextPageToken"])
            let second = try await world.send(.GET, base + "?maxResults=1&pageToken=" + page, headers: bearer)
            #expect(second["messages", "0", "id"] == "m2")
            let recent = try await world.send(.GET, base + "?q=newer_than:2d%20is:unread", headers: bearer)
            #expect(recent["messages", "0", "id"] == "m1" && recent["messages", "1", "id"] == nil)
            let message = try await world.send(
                .GET, base + "/m1?format=metadata&metadataHeaders=From", headers: bearer)
            #expect(message["payload", "headers", "0", "value"] == "eve@example.com")
            #expect(message["payload", "headers", "1", "value"] == nil)
            #expect(try await world.send(.GET, base + "/none?format=metadata", headers: bearer).status == 404)
        }
    }
}
