import Foundation
import Testing

@testable import HostStorage

@Suite struct ConnectProblemTests {
    private func problem(_ change: (inout URLComponents) -> Void) async throws -> ConnectProblem? {
        var parts = try #require(URLComponents(string: try TestServer.address(of: "postgres")))
        change(&parts)
        return await ConnectProblem.find(PostgresConfiguration(url: try #require(parts.string)))
    }

    @Test func namesTheCauseThatAPersonCanMend() async throws {
        #expect(try await problem { _ in } == nil)
        #expect(try await problem { $0.user = "nobody_like_this" } == .authenticationFailed)
        #expect(try await problem { $0.path = "/no_such_database" } == .noSuchDatabase)
        #expect(try await problem { $0.port = 1 } == .connectionRefused)
        #expect(try await problem { $0.host = "no-such-host.invalid" } == .nameNotResolved)
    }

    @Test func saysNothingOfTextItDoesNotKnow() {
        #expect(ConnectProblem(message: "FATAL:  XX000 for user secret") == .unavailable)
    }
}
