import Foundation
import HTTPTypes
import HostProcess
import HostRuntime
import LLMGateway
@testable import HostStorage
import Testing

@testable import APIServer

/// The route table as others read it.
@Suite struct ContractTests {
    @Test func everyRouteIsThereWithItsLimit() async throws {
        let routes = try await TestServer.routes()
        let table = routes.map { route in
            "\(route.method.rawValue) \(route.template) \(route.bucket?.rawValue ?? "-") \(route.needsUser ? "user" : "open")"
        }
        #expect(
            Set(table) == [
                "GET /healthz - open", "GET /readyz - open", "GET /oauth/google/callback oauth_bridge open",
                "GET /openapi.yaml docs open", "GET /docs docs open",
                "GET /v1/attestation/document attestation open", "POST /v1/attestation/challenge attestation open",
                "POST /v1/devices/apns device_register user", "POST /v1/devices/apns/test test_push user",
                "POST /v1/assistant/query assistant_query user",
                "POST /v1/connectors/google/start google_connect_start user",
                "POST /v1/connectors/google/callback google_connect_callback user", "GET /v1/connectors read user",
                "DELETE /v1/connectors/{connector_id} revoke_connector user", "GET /v1/preferences read user",
                "PUT /v1/preferences preferences_write user", "GET /v1/audit-events read user",
                "POST /v1/privacy/delete-all privacy_delete_all user",
                "GET /v1/privacy/delete-all/{request_id} read user",
            ])
        #expect(table.count == Set(table).count)
    }

    @Test func everyAuthenticatedPOSTCanBeRepeatedAndNothingElse() async throws {
        for route in try await TestServer.routes() {
            #expect(route.isRepeatable == (route.method == .post && route.template != "/v1/attestation/challenge"))
        }
    }

    /// Every path answers another method with the ones it takes, HEAD and OPTIONS too.
    @Test func everyRouteSaysWhatItTakes() async throws {
        try await TestServer.run { server in
            let routes = try await TestServer.routes()
            let methods = Dictionary(grouping: routes, by: \.template).mapValues { $0.map(\.method.rawValue).sorted() }
            for (template, allowed) in methods {
                for method in ["HEAD", "OPTIONS", "PATCH"] {
                    let path = template.replacingOccurrences(of: "{", with: "").replacingOccurrences(of: "}", with: "")
                    let answer = try await server.send(method, path)
                    #expect(answer.status == 405, "\(method) \(path)")
                    #expect(answer.headers["allow"] == allowed.joined(separator: ", "))
                    #expect(answer.body.isEmpty == (method == "HEAD"))
                }
            }
        }
    }

    /// Without a token nothing is said about what is behind a path, and nothing is read of the request.
    @Test func everyRouteOfAUserWantsAToken() async throws {
        try await TestServer.run { server in
            for route in try await TestServer.routes() where route.needsUser {
                let answer = try await server.send(
                    route.method.rawValue, route.template.replacingOccurrences(of: "{", with: "x"), json: "{nonsense",
                    headers: ["Idempotency-Key: not a key"])
                #expect(answer.status == 401 && answer.code == "unauthorized", "\(route.template)")
                #expect(answer.headers["www-authenticate"] == "Bearer")
            }
        }
    }

    @Test func problemsAreToldInTheFormThatIsAskedFor() async throws {
        try await TestServer.run { server in
            let answer = try await server.send(
                "GET", "/nowhere", headers: ["Accept: application/problem+json", "X-Request-Id: r-1"])
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(answer.text("type") == "urn:alfred:error:not_found" && answer.text("request_id") == "r-1")
            #expect(answer.text("code") == "not_found")
        }
    }
}

extension TestServer {
    /// The table that the running API is made from.
    static func routes() async throws -> [Route] {
        let stores = try await TestStores.shared.value
        let (lines, metrics, configuration) = (LineBuffer(), MetricsRegistry(), try configuration())
        return apiRoutes(
            APIDependencies(
                configuration: configuration, maximumEvidenceAgeSeconds: 300, log: lines.log(), metrics: metrics,
                repositories: APIDependencies.Repositories(stores.pool), enclave: FakeEnclave(stores.pool),
                brain: ModelBrain(runner: CapabilityRunner(model: nil)),
                limiter: SharedLimits(SlidingWindowLimiter(stores.redis, localPercent: 25), metrics: metrics),
                keys: KeyDirectory(
                    source: ScriptedKeySource(.failure(.unreachable)), sharing: MemorySharing(),
                    rules: KeyDirectoryRules(configuration.clerk), metrics: metrics, log: lines.log(), now: { 0 }),
                accounts: AccountGate(UserRepository(stores.pool)), readiness: Readiness([])))
    }
}
