import Foundation
@testable import HostStorage
import Testing

/// The servers the tests run on; `scripts/test` starts them.
enum TestServer {
    private static let migration = Task { () async throws -> String in
        let name = "alfred_process_test_\(ProcessInfo.processInfo.processIdentifier)"
        let administration = PostgresPool(
            PostgresConfiguration(url: try address(of: "postgres"), maximumConnections: 2))
        defer { administration.shutdown() }
        _ = try await administration.query(.write("drop database if exists \(name) with (force)"))
        _ = try await administration.query(.write("create database \(name)"))
        let url = try address(of: name)
        _ = try await Migrator(PostgresConfiguration(url: url)).migrate()
        return url
    }

    /// Address of a migrated database of this run.
    static func migrated() async throws -> String { try await migration.value }

    static func address(of database: String) throws -> String {
        var parts = try #require(URLComponents(string: try variable("TEST_DATABASE_URL")))
        parts.path = "/\(database)"
        return try #require(parts.string)
    }

    static func redis() throws -> String { try variable("TEST_REDIS_URL") }

    private static func variable(_ name: String) throws -> String {
        try #require(ProcessInfo.processInfo.environment[name], "\(name) must name a running server; see scripts/test")
    }
}
