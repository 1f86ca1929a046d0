import Foundation
import HostRuntime
@testable import HostStorage
import Testing

@testable import APIServer

@Suite struct RedisAwayTests {
    @Test func eachProcessGrantsAQuarterOfEveryLimitByItself() async throws {
        // Nothing listens there.
        let redis = try RedisConnection(RedisOptions(url: "redis://127.0.0.1:1/15", timeout: .milliseconds(200)))
        defer { redis.shutdown() }
        try await TestServer.run(redis: redis) { server in
            let (_, token) = try server.signIn()
            for left in [1, 0] {
                let answer = try await server.send("DELETE", "/v1/connectors/\(UUID())", token: token)
                #expect(answer.status == 404)
                #expect(answer.headers["ratelimit"]?.hasPrefix("\"revoke_connector\";r=\(left);t=") == true)
            }
            let refused = try await server.send("DELETE", "/v1/connectors/\(UUID())", token: token)
            #expect(refused.status == 429 && refused.code == "rate_limited")
            #expect(refused.headers["retry-after"].flatMap(Int.init).map { (1...60).contains($0) } == true)
            // Three in an hour are less than one: one is left.
            #expect(try await server.send("POST", "/v1/privacy/delete-all", token: token).status == 200)
            #expect(try await server.send("POST", "/v1/privacy/delete-all", token: token).status == 429)
            // Others are not affected.
            let other = try server.signIn().token
            #expect(try await server.send("DELETE", "/v1/connectors/\(UUID())", token: other).status == 404)
            let limited = server.metrics.value(
                of: .httpRateLimited, [.bucket: "revoke_connector", .backend: "local"])
            #expect(limited == 1)
        }
    }

    @Test func failedSignInsAreLimitedAsWell() async throws {
        let redis = try RedisConnection(RedisOptions(url: "redis://127.0.0.1:1/15", timeout: .milliseconds(200)))
        defer { redis.shutdown() }
        try await TestServer.run(redis: redis) { server in
            var statuses: [Int] = []
            for _ in 0..<16 { statuses.append(try await server.send("GET", "/v1/connectors", token: "x").status) }
            #expect(statuses == [Int](repeating: 401, count: 15) + [429])
        }
    }
}
