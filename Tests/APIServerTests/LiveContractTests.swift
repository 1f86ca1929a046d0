import Crypto
import Foundation
import Testing
import Yams

@testable import APIServer

/// What the running server takes and answers, compared field by field with the published contract.
@Suite struct LiveContractTests {
    @Test func everySuccessIsAnsweredAsTheContractSays() async throws {
        try await TestServer.run { server in
            let contract = try Contract()
            let operations = try Dictionary(contract.operations.map { ($0.id, $0) }) { one, _ in one }
            let (_, token) = try server.signIn()
            var seen: Set<String> = []
            func call(_ id: String, _ json: String? = nil, path: String? = nil) async throws -> TestServer.Answer {
                let operation = try #require(operations[id], "\(id)")
                let answer = try await server.send(operation.method, path ?? operation.path, token: token, json: json)
                try check(answer, operation, contract)
                seen.insert(id)
                return answer
            }
            _ = try await call("registerDevice", try contract.example("registerDevice"))
            _ = try await call("sendTestNotification", try contract.example("sendTestNotification"))
            let started = try await call("startGoogleConnect", try contract.example("startGoogleConnect"))
            let state = started.text("state") ?? ""
            let connected = try await call("completeGoogleConnect", #"{"state":"\#(state)","code":"c"}"#)
            _ = try await call("listConnectors")
            _ = try await call("askAssistant", try contract.example("askAssistant"))
            _ = try await call("readPreferences")
            _ = try await call("writePreferences", try contract.example("writePreferences"))
            _ = try await call("revokeConnector", path: "/v1/connectors/\(connected.text("connector_id") ?? "")")
            let asked = try await call("requestDeletion")
            _ = try await call("readDeletion", path: "/v1/privacy/delete-all/\(asked.text("request_id") ?? "")")
            let audit = try await call("listAuditEvents")
            #expect(audit.body.contains("GOOGLE_CONNECT_COMPLETED"))
            _ = try await call("readAttestationDocument")
            let now = Int(Date().timeIntervalSince1970)
            let challenge = try contract.example(
                "challengeEnclave", replacing: ["issued_at": now, "expires_at": now + 60])
            _ = try await call("challengeEnclave", challenge)
            _ = try await call("bridgeToApp", path: "/oauth/google/callback?code=a&state=b")
            for id in ["health", "readContract", "readContractAsPage"] { _ = try await call(id) }
            // Its checks are those of the process, which this server is made without.
            #expect(Set(operations.keys).subtracting(seen) == ["ready"])
        }
    }

    /// Status, media type, headers and body.
    private func check(_ answer: TestServer.Answer, _ operation: Contract.Operation, _ contract: Contract) throws {
        let responses = try contract.responses(of: operation)
        let response = try #require(
            responses.first { $0.status == answer.status }, "\(operation.id) \(answer.status) \(answer.body)"
        ).node
        let contents = contract.members(of: response["content"] ?? [:])
        let type = answer.headers["content-type"]?.split(separator: ";").first.map(String.init) ?? ""
        let content = try #require(contents.first { $0.name == type }, "\(operation.id) \(type)").node
        if type.hasSuffix("json") {
            let value = try JSONSerialization.jsonObject(with: Data(answer.body.utf8))
            #expect(try contract.faults(of: value, by: try #require(content["schema"])) == [], "\(operation.id)")
        }
        let headers = contract.members(of: response["headers"] ?? [:])
        for (name, header) in headers where try contract.resolved(header)["required"]?.isTrue == true {
            let value = try #require(answer.headers[name.lowercased()], "\(operation.id) \(answer.status) \(name)")
            let schema = try #require(contract.resolved(header)["schema"])
            #expect(try contract.faults(of: value, by: schema) == [], "\(operation.id) \(name)")
        }
        let known = Set(headers.map { $0.name.lowercased() }).union([
            "content-type", "content-length", "connection", "date",
        ])
        #expect(Set(answer.headers.keys).isSubset(of: known), "\(operation.id): \(answer.headers.keys)")
    }

    @Test func everyRefusalHasTheTwoFormsOfTheContract() async throws {
        try await TestServer.run { server in
            let contract = try Contract()
            for operation in try contract.operations where operation.node["security"] == nil {
                let plain = try await server.send(operation.method, operation.path)
                try check(plain, operation, contract)
                let problem = try await server.send(
                    operation.method, operation.path, headers: ["Accept: application/problem+json"])
                #expect(problem.headers["content-type"] == "application/problem+json")
                try check(problem, operation, contract)
            }
        }
    }

    /// No handler reads a field that the contract does not tell of, and the contract tells of none that nobody reads.
    @Test func handlersReadTheFieldsOfTheContract() throws {
        let contract = try Contract()
        var published: Set<String> = []
        for operation in try contract.operations {
            guard let schema = try contract.bodySchema(of: operation) else { continue }
            published.formUnion(contract.members(of: schema["properties"] ?? [:]).map(\.name))
        }
        var read: Set<String> = []
        let files = FileManager.default.enumerator(at: contract.sources, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let source = try String(contentsOf: file, encoding: .utf8)
            let reads = source.matches(of: /body\.(?:text|optionalText|integer|bool|choice)\("([a-z_]+)"\)/)
            read.formUnion(reads.map { String($0.1) })
        }
        #expect(read == published, "\(read.symmetricDifference(published))")
    }

    /// A field that is required is missed, one of the wrong type is told, and the bound of each is where the contract says.
    @Test func fieldsAreJudgedAsTheContractSays() async throws {
        try await TestServer.run { server in
            let contract = try Contract()
            var bounds = 0
            for operation in try contract.operations {
                guard let schema = try contract.bodySchema(of: operation) else { continue }
                func send(_ changes: [String: Any?]) async throws -> TestServer.Answer {
                    let now = Int(Date().timeIntervalSince1970)
                    var fresh = changes
                    if operation.id == "challengeEnclave" {
                        fresh.merge(["issued_at": now, "expires_at": now + 60]) { own, _ in own }
                    }
                    let json = try contract.example(operation.id, replacing: fresh)
                    let token = operation.node["security"] == nil ? try server.signIn().token : nil
                    let address = "X-Forwarded-For: 10.9.\(bounds / 200).\(bounds % 200)"
                    bounds += 1
                    return try await server.send(
                        operation.method, operation.path, token: token, json: json, headers: [address])
                }
                let required = schema["required"]?.texts ?? []
                for (name, node) in contract.members(of: schema["properties"] ?? [:]) {
                    let field = try contract.resolved(node)
                    let place = "\(operation.id) \(name)"
                    let absent: Any? = nil
                    let missing = try await send([name: absent])
                    #expect((missing.code == "invalid_request_body") == required.contains(name), "\(place)")
                    let wrong = try await send([name: [1]])
                    #expect(wrong.status == 422 && wrong.body.contains(name), "\(place)")
                    if let length = field["x-length"], let most = length["maximum"]?.int,
                        let code = length["code"]?.string
                    {
                        let fits = try await send([name: String(repeating: "a", count: most)])
                        let byState = operation.node["x-refused-by-state"]?.texts ?? []
                        #expect(fits.code != code || byState.contains(code), "\(place): \(fits.body)")
                        let tooLong = try await send([name: String(repeating: "a", count: most + 1)])
                        #expect(tooLong.status == 400 && tooLong.code == code, "\(place): \(tooLong.body)")
                        let blank = try await send([name: "\u{a0} \n"])
                        let isRefused = blank.code == code
                        #expect(
                            isRefused == (length["minimum"]?.int != 0) || byState.contains(code),
                            "\(place): \(blank.body)")
                    }
                    if let code = field["x-code"]?.string, let low = field["minimum"]?.int,
                        let high = field["maximum"]?.int
                    {
                        for value in [low, high] { #expect(try await send([name: value]).status == 200, "\(place)") }
                        for value in [low - 1, high + 1] {
                            #expect(try await send([name: value]).code == code, "\(place)")
                        }
                    }
                    for word in field["enum"]?.texts ?? [] {
                        #expect(try await send([name: word]).status == 200, "\(place) \(word)")
                    }
                }
            }
            #expect(bounds > 60)
        }
    }

    @Test func theServedContractIsTheFileAndThePageLoadsNothing() async throws {
        try await TestServer.run { server in
            let contract = try Contract()
            let served = try await server.send("GET", "/openapi.yaml")
            #expect(served.body == contract.text && served.headers["content-type"] == "application/yaml")
            let page = try await server.send("GET", "/docs")
            for operation in try contract.operations {
                #expect(page.body.contains(#"<article id="\#(operation.id)""#), "\(operation.id)")
            }
            for code in APIErrorCode.allCases { #expect(page.body.contains("<code>\(code.code)</code>"), "\(code)") }
            #expect(!page.body.contains(#/src=|<link|<iframe|<img|@import|url\(| style="| on[a-z]+="/#))
            let policy = try #require(page.headers["content-security-policy"])
            #expect(policy.hasPrefix("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"))
            for element in ["style", "script"] {
                let parts = page.body.components(separatedBy: "<\(element)>")
                #expect(parts.count == 2)
                let content = parts[1].components(separatedBy: "</\(element)>")[0]
                let digest = Data(SHA256.hash(data: Data(content.utf8))).base64EncodedString()
                #expect(policy.contains("\(element)-src 'sha256-\(digest)'"), "\(element)")
            }
        }
    }
}

extension Contract {
    /// The first example of an operation's body as JSON, with some fields replaced; nil leaves one out.
    func example(_ id: String, replacing changes: [String: Any?] = [:]) throws -> String {
        let operation = try operations.first { $0.id == id }
        let examples = operation?.node["requestBody"]?["content"]?["application/json"]?["examples"]
        var fields: [String: Any] = [:]
        if let first = examples.flatMap({ members(of: $0).first }), let value = first.node["value"] {
            fields = try json(value) as? [String: Any] ?? [:]
        }
        for (name, value) in changes { fields[name] = value }
        return String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self)
    }
}
