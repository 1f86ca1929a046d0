import EnclaveProtocol
import Foundation
@testable import HostStorage
import Testing

@testable import APIServer

@Suite struct TestNotificationTests {
    private func send(_ server: TestServer, _ token: String, _ json: String? = nil) async throws -> TestServer.Answer {
        try await server.send(
            "POST", "/v1/devices/apns/test", token: token, json: json,
            headers: ["traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-request-id: r-77"])
    }

    private func register(_ server: TestServer, _ token: String) async throws {
        _ = try await server.send(
            "POST", "/v1/devices/apns", token: token,
            json: #"{"device_id":"phone","apns_token":"\#(UUID())","environment":"sandbox"}"#)
    }

    @Test func queuesAJobWhoseTextIsSealed() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            #expect(try await send(server, token).code == "no_registered_device")
            try await register(server, token)
            let answer = try await send(server, token, #"{"title":"  Ding ","body":"Dong"}"#)
            #expect(answer.status == 200 && answer.text("status") == "QUEUED")
            let id = try #require(answer.text("queued_job_id").flatMap { UUID(uuidString: $0) })
            let item = try #require(server.enclave.sealed.last)
            #expect(item.purpose == .jobPayload && item.user == user && item.recordID == id.uuidString.lowercased())
            #expect(String(decoding: item.content, as: UTF8.self) == #"{"title":"Ding","body":"Dong"}"#)
            let row = try await server.pool.query(
                .read(
                    """
                    select payload_ciphertext, request_id, traceparent, state from alfred.jobs
                    where id = $1 and type = 'TEST_NOTIFICATION'
                    """), [.uuid(id)]
            ).required()
            #expect(try row.bytes(0) == item.content.reversed())
            #expect(try row.text(1) == "r-77")
            #expect(try row.text(2).hasPrefix("00-0af7651916cd43dd8448eb211c80319c-"))
            #expect(try row.text(3) == "PENDING")
            #expect(!server.lines.lines.contains { $0.contains("Dong") })
        }
    }

    @Test func withoutTextItSaysTheStandardOne() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            try await register(server, token)
            for json in [nil, "{}", #"{"title":" ","body":null}"#] {
                #expect(try await send(server, token, json).status == 200)
                let item = try #require(server.enclave.sealed.last)
                #expect(
                    String(decoding: item.content, as: UTF8.self)
                        == #"{"title":"Alfred test notification","body":"Push delivery is working."}"#)
            }
        }
    }

    @Test func refusesTextOutOfRule() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            let title = String(repeating: "ä", count: 121)
            #expect(try await send(server, token, #"{"title":"\#(title)"}"#).code == "invalid_title")
            let body = String(repeating: "x", count: 501)
            #expect(try await send(server, token, #"{"body":"\#(body)"}"#).code == "invalid_body")
            #expect(try await send(server, token, #"{"title":7}"#).code == "invalid_request_body")
            #expect(try await send(server, token, "[").code == "invalid_json")
            #expect(server.enclave.sealed.isEmpty)
        }
    }
}
