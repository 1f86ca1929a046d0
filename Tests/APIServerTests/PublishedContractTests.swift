import Crypto
import Foundation
import HTTPTypes
import HostProcess
@testable import HostStorage
import Testing
import Yams

@testable import APIServer

/// The published contract and the code say the same, in both directions.
@Suite struct PublishedContractTests {
    @Test func theContractHasTheRoutesOfTheTableAndNoOther() async throws {
        let contract = try Contract()
        let routed = try await TestServer.routes().map { "\($0.method.rawValue) \($0.template)" }
        let published = try contract.operations
        #expect(Set(published.map(\.name)) == Set(routed))
        #expect(Set(published.map(\.id)).count == routed.count)
    }

    @Test func everyOperationHasTheLimitAccessBodyAndSuccessOfItsRoute() async throws {
        let contract = try Contract()
        for operation in try contract.operations {
            let route = try await TestServer.route(operation)
            let limit = operation.node["x-rate-limit"]
            #expect(limit?["bucket"]?.string == route.bucket?.rawValue, "\(operation.name)")
            #expect(limit?["limit"]?.int == route.bucket?.limit, "\(operation.name)")
            #expect(limit?["window_seconds"]?.int == route.bucket?.windowSeconds, "\(operation.name)")
            if route.bucket != nil {
                #expect(limit?["subject"]?.string == (route.needsUser ? "user" : "address"), "\(operation.name)")
            }
            let isOpen = operation.node["security"]?.array().isEmpty == true
            #expect(isOpen == !route.needsUser, "\(operation.name)")
            let body = operation.node["requestBody"]
            let kind: Route.Body = body == nil ? .none : body?["required"]?.isTrue == true ? .required : .optional
            #expect(kind == route.body, "\(operation.name)")
            let success = try contract.responses(of: operation).map(\.status).filter { $0 < 400 }
            #expect(success == [route.success.code], "\(operation.name)")
            let names = operation.parameters.compactMap { $0["name"]?.string }
            #expect(names.contains("Idempotency-Key") == route.isRepeatable, "\(operation.name)")
            let placeholders = operation.path.matches(of: /\{([a-z_]+)\}/).map { String($0.1) }
            let inPath = operation.parameters.filter { $0["in"]?.string == "path" }.compactMap { $0["name"]?.string }
            #expect(inPath == placeholders, "\(operation.name)")
        }
    }

    @Test func everyOperationListsTheRefusalsOfItsRouteAndNoOther() async throws {
        let contract = try Contract()
        for operation in try contract.operations {
            let route = try await TestServer.route(operation)
            let published = try contract.responses(of: operation).flatMap { status, node in
                (node["x-codes"]?.texts ?? []).map { "\(status) \($0)" }
            }
            let answered = Set(route.answeredErrors.map { "\($0.status) \($0.code)" })
            #expect(Set(published) == answered, "\(operation.name): \(answered.symmetricDifference(published))")
            #expect(published.count == Set(published).count, "\(operation.name)")
            let byState = operation.node["x-refused-by-state"]?.texts ?? []
            #expect(Set(byState).isSubset(of: route.answeredErrors.map(\.code)), "\(operation.name)")
        }
    }

    @Test func theContractNamesEveryCodeAndNoOther() throws {
        let published = try Contract().node("components", "schemas", "ErrorCode", "enum").texts
        #expect(Set(published) == Set(APIErrorCode.allCases.map(\.code)))
        #expect(published == published.sorted())
    }

    @Test func theContractHasTheBoundsOfTheCode() throws {
        let contract = try Contract()
        let published = try contract.members(of: contract.node("x-limits")).map { "\($0.name) \($0.node.int ?? -1)" }
        #expect(
            Set(published) == [
                "head_bytes \(EdgeLimits.maximumHeadBytes)", "header_fields \(EdgeLimits.maximumHeaderFields)",
                "body_bytes \(EdgeLimits.maximumBodyBytes)", "json_depth \(JSONReader.maximumDepth)",
                "head_seconds \(EdgeLimits.headSeconds)", "body_seconds \(EdgeLimits.bodySeconds)",
                "idle_seconds \(EdgeLimits.idleSeconds)", "token_bytes \(BearerToken.maximumBytes)",
                "clock_leeway_seconds \(Int(ClerkTokenRules.leeway))", "audit_page_items \(AuditRepository.pageItems)",
                "devices_per_user \(DeviceRepository.maximumPerUser)",
                "unfinished_connects_per_user \(OAuthStateRepository.maximumOpen)",
                "attestation_relays_per_second \(AttestationRelay.callsPerSecond)",
                "bridge_value_bytes \(OAuthBridge.maximumValueBytes)",
            ])
        let page = try contract.node("components", "schemas", "AuditPage", "properties", "items", "maxItems")
        #expect(page.int == AuditRepository.pageItems)
        let failures = try #require(contract.text.firstMatch(of: /(\d+) failed sign-ins/))
        #expect(Int(failures.1) == RateBucket.authFailure.limit)
    }

    @Test func theContractHasTheWordsOfTheCode() throws {
        let contract = try Contract()
        func words(_ path: String...) throws -> Set<String> {
            var node = try contract.node("components", "schemas")
            for name in path { node = try #require(node[name], "\(path)") }
            return Set(node.texts)
        }
        #expect(try words("ConnectorStatus", "enum") == Set(ConnectorStatus.allCases.map(\.rawValue)))
        let deletion = try words("Deletion", "properties", "status", "enum")
        #expect(deletion == Set(PrivacyRequestStatus.allCases.map(\.rawValue)))
        let environments = try words("DeviceRegistration", "properties", "environment", "enum")
        #expect(environments == Set(DeviceEnvironment.allCases.map(\.rawValue)))
        let checks = Set(ReadinessCheck.Name.allCases.map(\.rawValue))
        #expect(try words("Ready", "properties", "checks", "required") == checks)
        let events = try words("AuditEvent", "properties", "event_type", "enum")
        let source = contract.sources.appending(path: "../HostStorage/Audit/AuditEvent.swift")
        let written = try String(contentsOf: source, encoding: .utf8).matches(of: /: "([A-Z_]+)"/).map { String($0.1) }
        #expect(written.count > 15 && events.isSuperset(of: written), "\(Set(written).subtracting(events))")
    }

    /// What is always there is required, and nothing else can be there: then an answer can be compared in both directions.
    @Test func objectsOfAnswersAreClosed() throws {
        let contract = try Contract()
        func check(_ schema: Node, _ place: String) throws {
            let flat = try contract.resolved(schema)
            for option in flat["anyOf"]?.array() ?? [] { try check(option, place) }
            if let items = flat["items"] { try check(items, place) }
            guard flat["type"]?.string == "object", let properties = flat["properties"] else { return }
            let names = contract.members(of: properties).map(\.name)
            #expect(Set(flat["required"]?.texts ?? []) == Set(names), "\(place)")
            #expect(flat["additionalProperties"]?.bool == false, "\(place)")
            for (name, inner) in contract.members(of: properties) { try check(inner, "\(place).\(name)") }
        }
        for operation in try contract.operations {
            for (status, response) in try contract.responses(of: operation) {
                for (type, content) in contract.members(of: response["content"] ?? [:]) {
                    try check(try #require(content["schema"]), "\(operation.name) \(status) \(type)")
                }
            }
        }
    }

    @Test func everyExampleFitsItsSchema() throws {
        let contract = try Contract()
        var count = 0
        for operation in try contract.operations {
            if let body = operation.node["requestBody"]?["content"]?["application/json"] {
                let schema = try #require(body["schema"])
                for (name, example) in contract.members(of: body["examples"] ?? [:]) {
                    let value = try contract.json(try #require(example["value"]))
                    #expect(try contract.faults(of: value, by: schema) == [], "\(operation.name) \(name)")
                    count += 1
                }
            }
            for (_, response) in try contract.responses(of: operation) {
                for (_, content) in contract.members(of: response["content"] ?? [:]) {
                    guard let example = content["example"], let schema = content["schema"] else { continue }
                    #expect(try contract.faults(of: contract.json(example), by: schema) == [], "\(operation.name)")
                    count += 1
                }
            }
        }
        #expect(count >= 20)
    }
}

extension TestServer {
    /// The row of the table that an operation is about.
    static func route(_ operation: Contract.Operation) async throws -> Route {
        let routes = try await routes()
        return try #require(
            routes.first { $0.method.rawValue == operation.method && $0.template == operation.path },
            "\(operation.name)")
    }
}
