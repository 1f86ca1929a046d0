import EnclaveClient
import EnclaveProtocol
import Foundation
@testable import HostStorage
import Testing

@testable import APIServer

/// The answers as a client team writes them down, with nothing but Foundation's own strategies.
private enum ClientAnswers {
    struct OK: Decodable { let ok: Bool }
    struct QueuedJob: Decodable { let queuedJobId: UUID, status: Queued }
    struct ConnectStart: Decodable { let authUrl: URL, state: String }
    struct Connected: Decodable {
        let connectorId: UUID, status: ConnectorState, grantedScopes: [String], accountChanged: Bool
    }
    struct Connectors: Decodable {
        let items: [Item]
        struct Item: Decodable {
            let connectorId: UUID, provider: String, status: ConnectorState, grantedScopes: [String], connectedAt: Date
        }
    }
    struct Revoked: Decodable { let status: ConnectorState }
    struct Preferences: Codable {
        let meetingReminderMinutes: Int, morningBriefLocalTime, quietHoursStart, quietHoursEnd, timeZone: String
        let highRiskRequiresConfirm: Bool
    }
    struct Audit: Decodable {
        let items: [Item], nextCursor: String?
        struct Item: Decodable {
            let id: UUID, timestamp: Date, eventType: String, connector: String?, result: Result
            let metadata: [String: String]
        }
        enum Result: String, Decodable { case success = "SUCCESS", failure = "FAILURE" }
    }
    struct DeleteAsked: Decodable { let requestId: UUID, status: Queued }
    struct DeleteStatus: Decodable {
        let requestId: UUID, status: State, unrevokedConnectors: Int, createdAt: Date
        let startedAt, completedAt, failedAt: Date?
        enum State: String, Decodable { case QUEUED, RUNNING, COMPLETED, FAILED }
    }
    struct Assistant: Decodable {
        let sessionId: UUID, capability, displayText, outputSource: String, payload: Payload
        struct Payload: Decodable { let title, summary, calendarDay: String, keyPoints, followUps: [String] }
    }
    struct Document: Decodable {
        let runtime, measurement: String, issuedAt: Int, devShim: Bool, signature, publicKey, nsmDocument: Data?
        let sessionKey: Data
    }
    struct Challenge: Decodable {
        let challengeNonce, operationPurpose, requestId, runtime, measurement: String
        let issuedAt, expiresAt, evidenceIssuedAt: Int, sessionKey, evidence: Data
        let publicKey, signature, nsmDocument: Data?
    }
    struct Failure: Decodable {
        let error: Details
        struct Details: Decodable { let code, message: String }
    }
    enum Queued: String, Decodable { case QUEUED }
    enum ConnectorState: String, Decodable { case ACTIVE, REVOKING, REVOKED, RECONNECT_REQUIRED }
}

@Suite struct ClientTests {
    private func decode<Value: Decodable>(
        _ type: Value.Type, _ answer: TestServer.Answer, status: Int = 200
    ) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        #expect(answer.status == status, "\(answer.body)")
        return try decoder.decode(type, from: Data(answer.body.utf8))
    }

    @Test func everyAnswerReadsWithFoundationsOwnStrategies() async throws {
        typealias A = ClientAnswers
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            func get(_ path: String) async throws -> TestServer.Answer {
                try await server.send("GET", path, token: token)
            }
            func post(_ path: String, _ json: String?) async throws -> TestServer.Answer {
                try await server.send("POST", path, token: token, json: json)
            }
            let device = #"{"device_id":"d","apns_token":"\#(UUID())","environment":"production"}"#
            #expect(try decode(A.OK.self, try await post("/v1/devices/apns", device)).ok)
            _ = try decode(A.QueuedJob.self, try await post("/v1/devices/apns/test", nil))
            let start = try decode(
                A.ConnectStart.self,
                try await post(
                    "/v1/connectors/google/start", #"{"redirect_uri":"alfred://oauth/google/callback"}"#))
            #expect(start.authUrl.scheme == "https")
            let connected = try decode(
                A.Connected.self,
                try await post("/v1/connectors/google/callback", #"{"state":"\#(start.state)","code":"c"}"#))
            #expect(connected.status == .ACTIVE && connected.grantedScopes.count == 2)
            let list = try decode(A.Connectors.self, try await get("/v1/connectors"))
            #expect(list.items.map(\.connectorId) == [connected.connectorId])
            #expect(abs(list.items[0].connectedAt.timeIntervalSinceNow) < 60)

            let preferences = try decode(A.Preferences.self, try await get("/v1/preferences"))
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            let json = String(decoding: try encoder.encode(preferences), as: UTF8.self)
            let put = try await server.send("PUT", "/v1/preferences", token: token, json: json)
            #expect(try decode(A.OK.self, put).ok)

            let reply = try decode(A.Assistant.self, try await post("/v1/assistant/query", #"{"query":"my agenda"}"#))
            #expect(reply.displayText == reply.payload.summary)
            for status in ["REVOKING", "RECONNECT_REQUIRED", "ACTIVE"] {
                _ = try await server.pool.query(
                    .write("update alfred.connectors set status = $2 where user_id = $1"),
                    [.uuid(user.uuid), .text(status)])
                let items = try decode(A.Connectors.self, try await get("/v1/connectors")).items
                #expect(items.map(\.status.rawValue) == [status])
            }
            let path = "/v1/connectors/\(connected.connectorId)"
            let revoked = try await server.send("DELETE", path, token: token)
            #expect(try decode(A.Revoked.self, revoked).status == .REVOKED)
            let asked = try decode(A.DeleteAsked.self, try await post("/v1/privacy/delete-all", "{}"))
            let deletion = try decode(
                A.DeleteStatus.self, try await get("/v1/privacy/delete-all/\(asked.requestId)"))
            #expect(deletion.status == .QUEUED && deletion.completedAt == nil)
            let audit = try decode(A.Audit.self, try await get("/v1/audit-events"))
            #expect(
                Set(audit.items.map(\.eventType)) == [
                    "DEVICE_REGISTERED", "TEST_NOTIFICATION_QUEUED", "GOOGLE_CONNECT_STARTED",
                    "GOOGLE_CONNECT_COMPLETED", "PREFERENCES_UPDATED", "AI_ASSISTANT_QUERY", "CONNECTOR_REVOKED",
                    "PRIVACY_DELETE_ALL_REQUESTED",
                ])
            let missing = try decode(A.Failure.self, try await get("/v1/privacy/delete-all/x"), status: 404)
            #expect(missing.error.code == "not_found")
        }
    }

    @Test func theRelaysAndTheHealthChecksReadAsWell() async throws {
        typealias A = ClientAnswers
        try await TestServer.run { server in
            _ = try decode(A.Document.self, try await server.send("GET", "/v1/attestation/document"))
            let now = Int(Date().timeIntervalSince1970)
            let challenge = """
                {"challenge_nonce":"\(String(repeating: "ab", count: 32))","issued_at":\(now),"expires_at":\(now + 60),\
                "operation_purpose":"audit","request_id":"r"}
                """
            _ = try decode(
                A.Challenge.self, try await server.send("POST", "/v1/attestation/challenge", json: challenge))
            #expect(try decode(A.OK.self, try await server.send("GET", "/healthz")).ok)
            #expect(try decode(A.OK.self, try await server.send("GET", "/readyz")).ok)
        }
    }
}
