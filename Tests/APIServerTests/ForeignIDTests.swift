import EnclaveProtocol
import Foundation
@testable import HostStorage
import Testing

@testable import APIServer

/// Another user's id is as unknown as one that nobody has: same status, same body, same work.
@Suite struct ForeignIDTests {
    /// What one person has, and what another one may try with it.
    private struct Possessions {
        let connector: String
        let request: String
        let state: String
        let event: String
        let device: String
    }

    private func possessions(_ server: TestServer, _ token: String) async throws -> Possessions {
        func post(_ path: String, _ json: String?) async throws -> TestServer.Answer {
            let answer = try await server.send("POST", path, token: token, json: json)
            #expect(answer.status == 200, "\(path)")
            return answer
        }
        let start = #"{"redirect_uri":"alfred://oauth/google/callback"}"#
        let first = try await post("/v1/connectors/google/start", start)
        let connector = try await post(
            "/v1/connectors/google/callback", #"{"state":"\#(first.text("state") ?? "")","code":"c"}"#)
        let second = try await post("/v1/connectors/google/start", start)
        let device = "d-\(UUID())"
        _ = try await post(
            "/v1/devices/apns", #"{"device_id":"\#(device)","apns_token":"\#(UUID())","environment":"sandbox"}"#)
        let request = try await post("/v1/privacy/delete-all", nil)
        let events = try await server.send("GET", "/v1/audit-events", token: token)
        let object = try JSONSerialization.jsonObject(with: Data(events.body.utf8)) as? [String: Any]
        let items = object?["items"] as? [[String: Any]]
        return Possessions(
            connector: try #require(connector.text("connector_id")), request: try #require(request.text("request_id")),
            state: try #require(second.text("state")), event: try #require(items?.first?["id"] as? String),
            device: device)
    }

    @Test func aForeignIDIsAnsweredAsAnUnknownOne() async throws {
        try await TestServer.run { server in
            let (owner, stranger) = (try server.signIn(), try server.signIn())
            let theirs = try await possessions(server, owner.token)
            let unknown = Possessions(
                connector: UUID().uuidString.lowercased(), request: UUID().uuidString.lowercased(),
                state: "st_\(UUID())", event: UUID().uuidString.lowercased(), device: "d-\(UUID())")
            func tries(_ ids: Possessions) -> [(String, String, String?)] {
                [
                    ("DELETE", "/v1/connectors/\(ids.connector)", nil),
                    ("GET", "/v1/privacy/delete-all/\(ids.request)", nil),
                    ("POST", "/v1/connectors/google/callback", #"{"state":"\#(ids.state)","code":"c"}"#),
                    ("GET", "/v1/audit-events?cursor=4000000000000000%7C\(ids.event)", nil),
                    (
                        "POST", "/v1/devices/apns",
                        #"{"device_id":"\#(ids.device)","apns_token":"\#(UUID())","environment":"sandbox"}"#
                    ),
                ]
            }
            for (foreign, missing) in zip(tries(theirs), tries(unknown)) {
                var bodies: [String] = []
                for (method, path, json) in [foreign, missing] {
                    let answer = try await server.send(method, path, token: stranger.token, json: json)
                    bodies.append("\(answer.status) \(answer.headers["content-type"] ?? "") \(answer.body)")
                }
                if foreign.1.hasPrefix("/v1/audit-events") {
                    // The stranger's own events, whatever event the cursor names.
                    #expect(!bodies[0].contains(theirs.device) && bodies[0] == bodies[1])
                } else {
                    #expect(bodies[0] == bodies[1], "\(foreign.0) \(foreign.1)")
                }
            }
            // And nothing of the owner's was touched.
            let owned = "alfred.connectors where status = 'ACTIVE' and"
            #expect(try await server.count(owned, owner.user) == 1)
            #expect(try await server.count("alfred.devices where", owner.user) == 1)
            #expect(try await server.count("alfred.oauth_states where claimed_at is null and", owner.user) == 1)
            #expect(server.enclave.revocations == 0)
        }
    }

    @Test func aDeviceNamedLikeAnothersIsTheUsersOwn() async throws {
        try await TestServer.run { server in
            let (one, two) = (try server.signIn(), try server.signIn())
            for person in [one, two] {
                let json = #"{"device_id":"same","apns_token":"\#(UUID())","environment":"sandbox"}"#
                #expect(
                    try await server.send("POST", "/v1/devices/apns", token: person.token, json: json).status == 200)
            }
            #expect(try await server.count("alfred.devices where", one.user) == 1)
            #expect(try await server.count("alfred.devices where", two.user) == 1)
        }
    }
}
