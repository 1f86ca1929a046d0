import EnclaveClient
import EnclaveProtocol
import Foundation
@testable import HostStorage
import Testing

@testable import APIServer

/// What is revoked or deleted while something is under way stays so.
@Suite struct InFlightTests {
    private func start(_ server: TestServer, _ token: String) async throws -> String {
        let answer = try await server.send(
            "POST", "/v1/connectors/google/start", token: token,
            json: #"{"redirect_uri":"alfred://oauth/google/callback"}"#)
        return try #require(answer.text("state"))
    }

    private func callback(_ server: TestServer, _ token: String) async throws -> TestServer.Answer {
        let state = try await start(server, token)
        return try await server.send(
            "POST", "/v1/connectors/google/callback", token: token, json: #"{"state":"\#(state)","code":"c"}"#)
    }

    @Test func aRevocationDuringAReconnectIsNotUndone() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let id = try #require(try await callback(server, token).text("connector_id"))
            server.enclave.script {
                $0.complete = .success(
                    GoogleConnectCompleteAnswer(
                        scopes: [GoogleScope.calendar], recordVersion: 2, accountChanged: false))
                $0.whenCompleted = {
                    let answer = try? await server.send("DELETE", "/v1/connectors/\(id)", token: token)
                    #expect(answer?.status == 200)
                }
            }
            let answer = try await callback(server, token)
            #expect(answer.status == 400 && answer.code == "connector_token_unavailable")
            #expect(
                try await server.count("alfred.connectors where status = 'REVOKED' and record_version = 3 and", user)
                    == 1)
            #expect(try await server.count("alfred.schedules where enabled and", user) == 0)
            #expect(try await server.count("alfred.oauth_states where consumed_at is null and", user) == 0)
        }
    }

    @Test func aDeletionDuringAConnectLeavesNothing() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let pool = server.pool
            server.enclave.script {
                $0.whenCompleted = {
                    for sql in [
                        "update alfred.users set status = 'DELETED', deleted_at = now() where id = $1",
                        "delete from alfred.connectors where user_id = $1",
                        "delete from alfred.oauth_states where user_id = $1",
                        "delete from alfred.audit_events where user_id = $1",
                    ] { _ = try? await pool.query(.write(sql), [.uuid(user.uuid)]) }
                }
            }
            // The row is gone, or the trigger refuses: neither makes it ACTIVE.
            let answer = try await callback(server, token)
            #expect([400, 403].contains(answer.status), "\(answer.body)")
            for table in ["connectors", "schedules", "audit_events", "oauth_states"] {
                #expect(try await server.count("alfred.\(table) where", user) == 0, "\(table)")
            }
        }
    }

    @Test func aDeletionBeforeTheEnclaveStoresTheTokenIsAnsweredAsADeletedAccount() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let state = try await start(server, token)
            _ = try await server.pool.query(
                .write("update alfred.users set status = 'DELETED', deleted_at = now() where id = $1"),
                [.uuid(user.uuid)])
            let answer = try await server.send(
                "POST", "/v1/connectors/google/callback", token: token, json: #"{"state":"\#(state)","code":"c"}"#)
            #expect(answer.status == 403 && answer.code == "account_deleted")
            #expect(try await server.count("alfred.connectors where", user) == 0)
        }
    }

    @Test func ofManyRevocationsAtOnceOneIsAudited() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let id = try #require(try await callback(server, token).text("connector_id"))
            let answers = try await withThrowingTaskGroup(of: TestServer.Answer.self) { group in
                for _ in 0..<6 {
                    group.addTask { try await server.send("DELETE", "/v1/connectors/\(id)", token: token) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.contains { $0.status == 200 })
            for answer in answers where answer.status != 200 {
                #expect(["not_found", "connector_token_unavailable"].contains(answer.code ?? ""), "\(answer.body)")
            }
            #expect(try await server.count("alfred.connectors where status = 'REVOKED' and", user) == 1)
            let audited = "alfred.audit_events where event_type = 'CONNECTOR_REVOKED' and"
            #expect(try await server.count(audited, user) == 1)
        }
    }

    @Test func auditPagesStayStableWhileEventsAreWritten() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            _ = try await server.send("GET", "/v1/connectors", token: token)
            let audit = AuditRepository(server.pool)
            for index in 0..<120 {
                try await audit.append(
                    .deviceRegistered(deviceIdentifier: "d\(index)", environment: .sandbox), for: user.uuid)
            }
            var seen: [String] = []
            var path: String? = "/v1/audit-events"
            while let current = path {
                let page = try await server.send("GET", current, token: token)
                let object = try JSONSerialization.jsonObject(with: Data(page.body.utf8)) as? [String: Any]
                let items = object?["items"] as? [[String: Any]] ?? []
                #expect(items.count <= 50)
                seen += items.compactMap { ($0["metadata"] as? [String: String])?["device_id"] }
                path = page.text("next_cursor").map {
                    "/v1/audit-events?cursor=" + $0.replacingOccurrences(of: "|", with: "%7C")
                }
                try await audit.append(
                    .deviceRegistered(deviceIdentifier: "late", environment: .sandbox), for: user.uuid)
            }
            #expect(seen == (0..<120).reversed().map { "d\($0)" })
        }
    }
}
