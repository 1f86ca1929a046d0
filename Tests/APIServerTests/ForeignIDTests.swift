import EnclaveProtocol
import Foundation
@testable import HostStorage
import Testing
import Yams

@testable import APIServer

/// Another user's id is as unknown as one that nobody has: same status, same body, same work.
@Suite struct ForeignIDTests {
    /// What one person has, and what another one may try with it.
    private struct Possessions {
        var connector = UUID().uuidString.lowercased()
        var request = UUID().uuidString.lowercased()
        var state = "st_\(UUID())"
        var event = UUID().uuidString.lowercased()
        var device = "d-\(UUID())"
        var session = UUID().uuidString.lowercased()
    }

    /// One way to name something of somebody else; `field` is its name in the contract.
    private struct Attempt {
        let method: String
        let template: String
        let field: String
        let path: String
        let json: String?
    }

    private func attempts(_ ids: Possessions) -> [Attempt] {
        func device(_ token: UUID) -> String {
            #"{"device_id":"\#(ids.device)","apns_token":"\#(token)","environment":"sandbox"}"#
        }
        func attempt(_ method: String, _ template: String, _ field: String, path: String? = nil, json: String? = nil)
            -> Attempt
        {
            Attempt(method: method, template: template, field: field, path: path ?? template, json: json)
        }
        return [
            attempt(
                "DELETE", "/v1/connectors/{connector_id}", "connector_id", path: "/v1/connectors/\(ids.connector)"),
            attempt(
                "GET", "/v1/privacy/delete-all/{request_id}", "request_id",
                path: "/v1/privacy/delete-all/\(ids.request)"),
            attempt(
                "POST", "/v1/connectors/google/callback", "state", json: #"{"state":"\#(ids.state)","code":"c"}"#),
            attempt(
                "POST", "/v1/connectors/google/callback", "state",
                json: #"{"state":"\#(ids.state)","error":"access_denied"}"#),
            attempt(
                "GET", "/v1/audit-events", "cursor", path: "/v1/audit-events?cursor=3999999999999998%7C\(ids.event)"),
            attempt("POST", "/v1/devices/apns", "device_id", json: device(UUID())),
            attempt(
                "POST", "/v1/assistant/query", "session_id",
                json: #"{"query":"and tomorrow?","session_id":"\#(ids.session)"}"#),
            attempt(
                "POST", "/v1/assistant/query", "session_id",
                json: #"{"query":"my agenda","session_id":"\#(ids.session)"}"#),
        ]
    }

    /// Everything that a person can have under an id.
    private func possessions(_ server: TestServer, _ token: String) async throws -> Possessions {
        func post(_ path: String, _ json: String?) async throws -> TestServer.Answer {
            let answer = try await server.send("POST", path, token: token, json: json)
            #expect(answer.status == 200, "\(path) \(answer.body)")
            return answer
        }
        let start = #"{"redirect_uri":"alfred://oauth/google/callback"}"#
        let first = try await post("/v1/connectors/google/start", start)
        let connector = try await post(
            "/v1/connectors/google/callback", #"{"state":"\#(first.text("state") ?? "")","code":"c"}"#)
        let second = try await post("/v1/connectors/google/start", start)
        let session = try await post("/v1/assistant/query", #"{"query":"my agenda"}"#)
        var own = Possessions()
        _ = try await post(
            "/v1/devices/apns", #"{"device_id":"\#(own.device)","apns_token":"\#(UUID())","environment":"sandbox"}"#)
        own.request = try #require(await post("/v1/privacy/delete-all", nil).text("request_id"))
        let events = try await server.send("GET", "/v1/audit-events", token: token)
        let object = try JSONSerialization.jsonObject(with: Data(events.body.utf8)) as? [String: Any]
        let items = object?["items"] as? [[String: Any]]
        own.connector = try #require(connector.text("connector_id"))
        own.state = try #require(second.text("state"))
        own.session = try #require(session.text("session_id"))
        own.event = try #require(items?.first?["id"] as? String)
        return own
    }

    /// What an answer says and what it took: statements and calls of the enclave. Nothing else in a handler takes time
    /// that depends on an id.
    private struct Outcome: Equatable {
        let answer: String
        let statements: UInt64
        let sealed: Int
        let asked: Int
    }

    private func outcome(
        of attempt: Attempt, naming ids: Possessions, _ server: TestServer, _ token: String
    ) async throws -> Outcome {
        let (statements, sealed, asked) = (server.pool.callsBegun, server.enclave.sealed, server.enclave.asked)
        let answer = try await server.send(attempt.method, attempt.path, token: token, json: attempt.json)
        // A new conversation is answered under the id it was given.
        let body = answer.body.replacingOccurrences(of: ids.session, with: "SESSION")
        return Outcome(
            answer: "\(answer.status) \(answer.headers["content-type"] ?? "") \(body)",
            statements: server.pool.callsBegun - statements, sealed: server.enclave.sealed.count - sealed.count,
            asked: server.enclave.asked.count - asked.count)
    }

    @Test func aForeignIDIsAnsweredAsAnUnknownOne() async throws {
        try await TestServer.run(ownPool: true) { server in
            let owner = try server.signIn()
            let theirs = try await possessions(server, owner.token)
            let unknown = Possessions()
            for (foreign, missing) in zip(attempts(theirs), attempts(unknown)) {
                var outcomes: [Outcome] = []
                for (attempt, ids) in [(foreign, theirs), (missing, unknown)] {
                    // A stranger of its own for each, so that nothing is left of the other attempt. He has been seen.
                    let stranger = try server.signIn()
                    _ = try await server.send("GET", "/v1/preferences", token: stranger.token)
                    outcomes.append(try await outcome(of: attempt, naming: ids, server, stranger.token))
                }
                #expect(outcomes[0] == outcomes[1], "\(foreign.method) \(foreign.template)")
                #expect(outcomes[0].statements > 0)
            }
            // And nothing of the owner's was touched.
            let owned = "alfred.connectors where status = 'ACTIVE' and"
            #expect(try await server.count(owned, owner.user) == 1)
            #expect(try await server.count("alfred.devices where", owner.user) == 1)
            #expect(try await server.count("alfred.oauth_states where claimed_at is null and", owner.user) == 1)
            #expect(try await server.count("alfred.assistant_sessions where turn_count = 1 and", owner.user) == 1)
            #expect(server.enclave.revocations == 0)
        }
    }

    /// Whatever the contract lets a user name by an id is among the attempts.
    @Test func everyFieldThatNamesSomethingIsTried() throws {
        let contract = try Contract()
        let tried = Set(attempts(Possessions()).map { "\($0.method) \($0.template) \($0.field)" })
        // Not owned by anybody: a verifier's own name for its challenge.
        let free: Set = ["POST /v1/attestation/challenge request_id"]
        var named: Set<String> = []
        for operation in try contract.operations {
            let parameters = operation.parameters.filter { $0["in"]?.string != "header" }.compactMap {
                $0["name"]?.string
            }
            let properties = try contract.bodySchema(of: operation)?["properties"].map(contract.members) ?? []
            let names = parameters + properties.map(\.name)
            for name in names where name.hasSuffix("_id") || ["state", "cursor"].contains(name) {
                // The bridge copies the state of a redirect and looks nothing up.
                guard operation.path != "/oauth/google/callback" else { continue }
                named.insert("\(operation.name) \(name)")
            }
        }
        #expect(named.subtracting(free) == tried)
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
