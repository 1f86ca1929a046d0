import EnclaveProtocol
import Foundation
@testable import HostStorage
import Testing

@testable import APIServer

@Suite struct PrivacyTests {
    private func delete(_ server: TestServer, _ token: String) async throws -> TestServer.Answer {
        try await server.send("POST", "/v1/privacy/delete-all", token: token)
    }

    private func sql(_ server: TestServer, _ text: String, _ user: UserID) async throws {
        _ = try await server.pool.query(.write(text), [.uuid(user.uuid)])
    }

    @Test func oneRequestIsOpenHoweverManyAsk() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let answers = try await withThrowingTaskGroup(of: TestServer.Answer.self) { group in
                for _ in 0..<3 { group.addTask { try await delete(server, token) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.status) == [200, 200, 200])
            #expect(Set(answers.map(\.body)).count == 1)
            #expect(answers[0].text("status") == "QUEUED")
            let asked = "alfred.audit_events where event_type = 'PRIVACY_DELETE_ALL_REQUESTED' and"
            #expect(try await server.count(asked, user) == 1)
            let limited = try await delete(server, token)
            #expect(limited.status == 429 && limited.headers["ratelimit-policy"] == "\"privacy_delete_all\";q=3;w=3600")
        }
    }

    @Test func tellsHowFarItIsEvenWhenTheAccountIsGone() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let id = try #require(try await delete(server, token).text("request_id"))
            func status() async throws -> TestServer.Answer {
                try await server.send("GET", "/v1/privacy/delete-all/\(id.uppercased())", token: token)
            }
            let queued = try await status()
            #expect(queued.text("status") == "QUEUED" && queued.text("created_at")?.hasSuffix("Z") == true)
            #expect(queued.body.contains(#""unrevoked_connectors":0"#))
            #expect(queued.body.hasSuffix(#""started_at":null,"completed_at":null,"failed_at":null}"#))

            try await sql(server, "update alfred.users set status = 'DELETED', deleted_at = now() where id = $1", user)
            try await sql(
                server,
                """
                update alfred.privacy_delete_requests set status = 'COMPLETED', started_at = now(),
                    completed_at = now(), unrevoked_connectors = 1 where user_id = $1
                """, user)
            server.accounts.forget(user)
            let completed = try await status()
            #expect(completed.status == 200 && completed.text("status") == "COMPLETED")
            #expect(completed.body.contains(#""unrevoked_connectors":1"#))
            let everything = [
                ("GET", "/v1/preferences", nil), ("GET", "/v1/connectors", nil), ("GET", "/v1/audit-events", nil),
                ("POST", "/v1/privacy/delete-all", nil), ("POST", "/v1/devices/apns/test", "{}"),
                ("DELETE", "/v1/connectors/\(UUID())", nil),
            ]
            for (method, path, json) in everything {
                let answer = try await server.send(method, path, token: token, json: json)
                #expect(answer.status == 403 && answer.code == "account_deleted", "\(method) \(path)")
            }
        }
    }

    /// The account is remembered as living for some seconds; the database decides all the same.
    @Test func nothingIsWrittenForAUserWhoseDeletionIsNotYetKnownHere() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            #expect(try await server.send("GET", "/v1/preferences", token: token).status == 200)
            let start = try await server.send(
                "POST", "/v1/connectors/google/start", token: token,
                json: #"{"redirect_uri":"alfred://oauth/google/callback"}"#)
            let state = try #require(start.text("state"))
            // The purge, while the app is in the middle of everything.
            try await sql(server, "update alfred.users set status = 'DELETED', deleted_at = now() where id = $1", user)
            let tables = ["devices", "connectors", "jobs", "schedules", "idempotent_answers", "user_preferences"]
            for table in tables { try await sql(server, "delete from alfred.\(table) where user_id = $1", user) }
            let writes = [
                ("POST", "/v1/devices/apns", #"{"device_id":"p","apns_token":"aa","environment":"sandbox"}"#),
                ("POST", "/v1/connectors/google/callback", #"{"state":"\#(state)","code":"c"}"#),
                ("POST", "/v1/privacy/delete-all", "{}"), ("GET", "/v1/preferences", nil),
            ]
            for (method, path, json) in writes {
                let answer = try await server.send(
                    method, path, token: token, json: json, headers: ["Idempotency-Key: \(UUID())"])
                #expect(answer.status == 403 && answer.code == "account_deleted", "\(method) \(path)")
            }
            for table in tables { #expect(try await server.count("alfred.\(table) where", user) == 0, "\(table)") }
            #expect(try await server.count("alfred.privacy_delete_requests where", user) == 0)
        }
    }
}
