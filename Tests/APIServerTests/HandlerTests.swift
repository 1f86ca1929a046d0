import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
@testable import HostStorage
import Testing

@testable import APIServer

@Suite struct DeviceTests {
    @Test func registersADeviceWithASealedToken() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let answer = try await server.send(
                "POST", "/v1/devices/apns", token: token,
                json: #"{"device_id":"phone-1","apns_token":"ABCDEF01","environment":"sandbox"}"#)
            #expect(answer.status == 200)
            #expect(answer.body == #"{"ok":true}"#)
            #expect(answer.headers["ratelimit"]?.hasPrefix("\"device_register\";r=19;t=") == true)
            let item = try #require(server.enclave.sealed.first)
            #expect(item.purpose == .deviceAPNsToken && item.user == user && item.recordID == "phone-1")
            #expect(item.content == Array("abcdef01".utf8))
            #expect(try await server.count("alfred.devices where", user) == 1)
            #expect(try await server.count("alfred.audit_events where event_type = 'DEVICE_REGISTERED' and", user) == 1)
            #expect(!server.lines.lines.contains { $0.lowercased().contains("abcdef01") })
        }
    }

    @Test func refusesValuesOutOfRuleAndSealsNothing() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            func code(_ json: String) async throws -> String? {
                try await server.send("POST", "/v1/devices/apns", token: token, json: json).code
            }
            #expect(
                try await code(#"{"device_id":"a b","apns_token":"x","environment":"sandbox"}"#) == "invalid_device_id")
            #expect(
                try await code(#"{"device_id":"a","apns_token":"","environment":"sandbox"}"#) == "invalid_apns_token")
            #expect(try await code(#"{"device_id":"a","apns_token":"x","environment":"x"}"#) == "invalid_request_body")
            #expect(
                try await code(#"{"device_id":"a","apns_token":null,"environment":"sandbox"}"#)
                    == "invalid_request_body")
            #expect(server.enclave.sealed.isEmpty)
            #expect(try await server.count("alfred.devices where", user) == 0)
        }
    }

    @Test func anEnclaveThatIsAwayIsUnavailable() async throws {
        try await TestServer.run { server in
            server.enclave.script { $0.seal = .unreachable }
            let answer = try await server.send(
                "POST", "/v1/devices/apns", token: try server.signIn().token,
                json: #"{"device_id":"phone-1","apns_token":"a","environment":"sandbox"}"#)
            #expect(answer.status == 503)
            #expect(answer.code == "security_runtime_error")
            #expect(answer.headers["retry-after"] == "5")
        }
    }
}

@Suite struct GoogleConnectTests {
    private func start(_ server: TestServer, _ token: String) async throws -> String {
        let answer = try await server.send(
            "POST", "/v1/connectors/google/start", token: token,
            json: #"{"redirect_uri":"alfred://oauth/google/callback"}"#)
        #expect(answer.status == 200)
        #expect(answer.text("auth_url")?.contains(TestServer.redirectURI) == true)
        let state = try #require(answer.text("state"))
        #expect(state.hasPrefix("st_") && state.count == 68)
        return state
    }

    private func callback(_ server: TestServer, _ token: String, _ json: String) async throws -> TestServer.Answer {
        try await server.send("POST", "/v1/connectors/google/callback", token: token, json: json)
    }

    @Test func connectsListsAndRevokes() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let state = try await start(server, token)
            let done = try await callback(server, token, #"{"state":"\#(state)","code":"4/abc"}"#)
            #expect(done.status == 200)
            #expect(done.text("status") == "ACTIVE")
            #expect(done.body.contains(#""account_changed":false"#))
            let id = try #require(done.text("connector_id"))

            let list = try await server.send("GET", "/v1/connectors", token: token)
            #expect(list.body.contains(id) && list.body.contains(#""status":"ACTIVE""#))
            #expect(list.headers["ratelimit-policy"] == "\"read\";q=120;w=60")

            let revoked = try await server.send("DELETE", "/v1/connectors/\(id.uppercased())", token: token)
            #expect(revoked.status == 200 && revoked.text("status") == "REVOKED")
            #expect(try await server.send("DELETE", "/v1/connectors/\(id)", token: token).code == "not_found")
            let events = try await server.send("GET", "/v1/audit-events", token: token)
            let order = ["CONNECTOR_REVOKED", "GOOGLE_CONNECT_COMPLETED", "GOOGLE_CONNECT_STARTED"]
            let places = order.map { events.body.range(of: $0)?.lowerBound }
            #expect(places == places.sorted { ($0 ?? events.body.endIndex) < ($1 ?? events.body.endIndex) })
            #expect(events.body.hasSuffix(#""next_cursor":null}"#))
            #expect(try await server.count("alfred.connectors where status = 'REVOKED' and", user) == 1)
            #expect(!server.lines.lines.contains { $0.contains("4/abc") || $0.contains(state) })
        }
    }

    @Test func aStateIsUsedOnceAndByItsOwnerOnly() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            let state = try await start(server, token)
            let body = #"{"state":"\#(state)","code":"c"}"#
            #expect(try await callback(server, try server.signIn().token, body).code == "invalid_state")
            #expect(
                try await callback(server, token, #"{"state":"\#(state)","code":"  "}"#).code == "invalid_oauth_code")
            #expect(try await callback(server, token, body).status == 200)
            #expect(try await callback(server, token, body).code == "invalid_state")
        }
    }

    @Test func aRefusalOfTheUserConsumesTheState() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            for (error, code) in [("access_denied", "oauth_consent_denied"), ("server_error", "oauth_callback_error")] {
                let state = try await start(server, token)
                let body = #"{"state":"\#(state)","error":"\#(error)"}"#
                #expect(try await callback(server, token, body).code == code)
                #expect(try await callback(server, token, body).code == "invalid_state")
            }
        }
    }

    @Test func aProviderThatIsAwayReleasesTheStateAndARejectedCodeDoesNot() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            let state = try await start(server, token)
            let body = #"{"state":"\#(state)","code":"c"}"#
            let success = FakeEnclave.Script().complete
            server.enclave.script { $0.complete = .failure(.failed(EnclaveFailure(.providerUnavailable))) }
            let away = try await callback(server, token, body)
            #expect(away.status == 502 && away.code == "oauth_unavailable")
            server.enclave.script {
                $0.complete = .failure(.failed(EnclaveFailure(.providerFailed, providerStatus: 503)))
            }
            #expect(try await callback(server, token, body).code == "oauth_token_exchange_failed")
            server.enclave.script { $0.complete = .failure(.failed(EnclaveFailure(.codeRejected))) }
            #expect(try await callback(server, token, body).code == "invalid_oauth_code")
            server.enclave.script { $0.complete = success }
            #expect(try await callback(server, token, body).code == "invalid_state")
        }
    }

    @Test func anotherRedirectURIIsRefused() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            let answer = try await server.send(
                "POST", "/v1/connectors/google/start", token: token, json: #"{"redirect_uri":"https://evil.test/"}"#)
            #expect(answer.status == 400 && answer.code == "invalid_redirect_uri")
            server.enclave.script { $0.begin = .failed(EnclaveFailure(.redirectURIMismatch)) }
            let mismatch = try await server.send(
                "POST", "/v1/connectors/google/start", token: token,
                json: #"{"redirect_uri":"\#(TestServer.redirectURI)"}"#)
            #expect(mismatch.status == 400 && mismatch.code == "oauth_config_error")
        }
    }

    @Test func afterAFailedRevocationItStaysRevokingAndATombstoneEndsIt() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let state = try await start(server, token)
            let done = try await callback(server, token, #"{"state":"\#(state)","code":"c"}"#)
            let id = try #require(done.text("connector_id"))
            server.enclave.script { $0.revoke = .failed(EnclaveFailure(.providerUnavailable)) }
            let failed = try await server.send("DELETE", "/v1/connectors/\(id)", token: token)
            #expect(failed.status == 502 && failed.code == "oauth_revoke_unavailable")
            #expect(try await server.count("alfred.connectors where status = 'REVOKING' and", user) == 1)
            server.enclave.script { $0.revoke = .failed(EnclaveFailure(.recordRevoked)) }
            #expect(try await server.send("DELETE", "/v1/connectors/\(id)", token: token).status == 200)
            #expect(try await server.count("alfred.connectors where status = 'REVOKED' and", user) == 1)
        }
    }

    @Test func aForeignConnectorIsAsUnknownAsNone() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            let state = try await start(server, token)
            let id = try #require(
                try await callback(server, token, #"{"state":"\#(state)","code":"c"}"#).text("connector_id"))
            let other = try server.signIn().token
            for path in [id, UUID().uuidString, "nonsense"] {
                let answer = try await server.send("DELETE", "/v1/connectors/\(path)", token: other)
                #expect(answer.status == 404 && answer.code == "not_found")
            }
            #expect(server.enclave.revocations == 0)
        }
    }
}

@Suite struct AccountTests {
    @Test func withoutAValidTokenNothingIsAnswered() async throws {
        try await TestServer.run { server in
            for token in [nil, "a.b.c", try server.key.sign(claims: TestKey.claims(["exp": "1"]))] {
                let answer = try await server.send("GET", "/v1/connectors", token: token)
                #expect(answer.status == 401 && answer.code == "unauthorized")
                #expect(answer.headers["www-authenticate"] == "Bearer")
            }
            #expect(server.lines.lines.contains { $0.contains(#""reason":"expired_token""#) })
        }
    }

    @Test func tooManyFailuresOfAnAddressAreLimited() async throws {
        try await TestServer.run { server in
            let address = ["X-Forwarded-For: 198.51.\(server.port >> 8).\(server.port & 255)"]
            // The key is known by then: an address at its limit would cause no fetch.
            #expect(try await server.send("GET", "/v1/connectors", token: try server.signIn().token).status == 200)
            for _ in 0..<60 {
                let answer = try await server.send("GET", "/v1/connectors", token: "x", headers: address)
                #expect(answer.status == 401)
            }
            let limited = try await server.send("GET", "/v1/connectors", token: "x", headers: address)
            #expect(limited.status == 429 && limited.code == "rate_limited")
            #expect(limited.headers["retry-after"].flatMap(Int.init).map { $0 >= 1 } == true)
            let good = try await server.send(
                "GET", "/v1/connectors", token: try server.signIn().token, headers: address)
            #expect(good.status == 200)
        }
    }

    @Test func aDeletedAccountIsRefused() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            #expect(try await server.send("GET", "/v1/preferences", token: token).status == 200)
            _ = try await server.pool.query(
                .write("update alfred.users set status = 'DELETED', deleted_at = now() where id = $1"),
                [.uuid(user.uuid)])
            server.accounts.forget(user)
            let answer = try await server.send("GET", "/v1/preferences", token: token)
            #expect(answer.status == 403 && answer.code == "account_deleted")
        }
    }

    @Test func limitsReadsPerUser() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            for _ in 0..<10 {
                _ = try await server.send("DELETE", "/v1/connectors/x", token: token)
            }
            let answer = try await server.send("DELETE", "/v1/connectors/x", token: token)
            #expect(answer.status == 429)
            #expect(answer.headers["ratelimit"]?.hasPrefix("\"revoke_connector\";r=0;t=") == true)
            #expect(try await server.send("DELETE", "/v1/connectors/x", token: try server.signIn().token).status == 404)
        }
    }
}

@Suite struct ReadTests {
    @Test func answersTheDefaultPreferences() async throws {
        try await TestServer.run { server in
            let answer = try await server.send("GET", "/v1/preferences", token: try server.signIn().token)
            #expect(
                answer.body
                    == #"{"meeting_reminder_minutes":15,"morning_brief_local_time":"08:00","quiet_hours_start":"22:00","#
                    + #""quiet_hours_end":"07:00","time_zone":"UTC","high_risk_requires_confirm":true}"#)
        }
    }

    @Test func pagesThroughAuditEvents() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            _ = try await server.send("GET", "/v1/preferences", token: token)
            for index in 0..<51 {
                try await AuditRepository(server.pool).append(
                    .deviceRegistered(deviceIdentifier: "d\(index)", environment: .sandbox), for: user.uuid)
            }
            let first = try await server.send("GET", "/v1/audit-events", token: token)
            let cursor = try #require(first.text("next_cursor"))
            let second = try await server.send(
                "GET", "/v1/audit-events?cursor=\(cursor.replacingOccurrences(of: "|", with: "%7C"))", token: token)
            #expect(second.body.contains(#""device_id":"d0""#) && !second.body.contains(#""device_id":"d1""#))
            #expect(second.body.contains(#""next_cursor":null"#))
            #expect(second.body.contains(#""result":"SUCCESS""#))
            for bad in ["", "x", "1%7Cx", "%ff"] {
                let answer = try await server.send("GET", "/v1/audit-events?cursor=\(bad)", token: token)
                #expect(answer.status == 400 && answer.code == "invalid_cursor")
            }
        }
    }
}

@Suite struct AttestationRelayTests {
    private func challenge(
        _ changes: [String: String] = [:], now: Int = Int(Date().timeIntervalSince1970)
    ) -> String {
        var members = [
            "challenge_nonce": "\"\(String(repeating: "ab", count: 32))\"", "issued_at": "\(now)",
            "expires_at": "\(now + 60)", "operation_purpose": "\"audit.check\"", "request_id": "\"r-1\"",
        ]
        for (name, value) in changes { members[name] = value }
        return "{" + members.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }

    @Test func passesOnTheDocumentAndTheEvidence() async throws {
        try await TestServer.run { server in
            let document = try await server.send("GET", "/v1/attestation/document")
            #expect(document.status == 200)
            #expect(document.body.contains(#""dev_shim":true,"signature":null,"public_key":null"#))
            let answer = try await server.send("POST", "/v1/attestation/challenge", json: challenge())
            #expect(answer.status == 200)
            #expect(answer.text("challenge_nonce") == String(repeating: "ab", count: 32))
            let bytes = try #require(answer.text("evidence").flatMap { Data(base64Encoded: $0) })
            let evidence = try Evidence(decoding: Array(bytes))
            #expect(evidence.challenge == server.enclave.challenges.first)
        }
    }

    @Test func refusesChallengesOutOfRule() async throws {
        try await TestServer.run { server in
            let now = Int(Date().timeIntervalSince1970)
            let bad: [[String: String]] = [
                ["challenge_nonce": "\"AB\""], ["challenge_nonce": "\"\(String(repeating: "AB", count: 32))\""],
                ["operation_purpose": "\"session\""], ["operation_purpose": "\"startup_probe\""],
                ["operation_purpose": "\"Bad\""], ["expires_at": "\(now)"], ["expires_at": "\(now + 301)"],
                ["issued_at": "\(now + 300)", "expires_at": "\(now + 320)"], ["request_id": "\" r\""],
            ]
            for changes in bad {
                let answer = try await server.send(
                    "POST", "/v1/attestation/challenge", json: challenge(changes, now: now))
                #expect(answer.status == 400 && answer.code == "attestation_challenge_failed", "\(changes)")
            }
            #expect(server.enclave.challenges.isEmpty)
        }
    }

    @Test func saysSoWhenTheEnclaveIsAway() async throws {
        try await TestServer.run { server in
            server.enclave.script { $0.relay = .unreachable }
            let document = try await server.send("GET", "/v1/attestation/document")
            #expect(document.status == 503 && document.code == "attestation_document_unavailable")
            let answer = try await server.send("POST", "/v1/attestation/challenge", json: challenge())
            #expect(answer.status == 503 && answer.code == "attestation_challenge_failed")
        }
    }

    @Test func passesOnTenCallsASecond() {
        let quota = CallQuota(perSecond: 10)
        let now = ContinuousClock.now
        for _ in 0..<10 { #expect(quota.admit(at: now)) }
        #expect(!quota.admit(at: now + .milliseconds(999)))
        #expect(quota.admit(at: now + .seconds(1)))
    }
}
