import Foundation
import Testing

@testable import HostStorage

/// A migrated database of its own for one test.
final class WorkerDatabase: Sendable {
    let name = "alfred_worker_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
    let url: String
    let pool: PostgresPool

    init() async throws {
        let administration = try PostgresPool(
            PostgresConfiguration(url: Self.address("postgres"), maximumConnections: 2))
        defer { administration.shutdown() }
        _ = try await administration.query(.write("create database \(name)"))
        url = try Self.address(name)
        let configuration = PostgresConfiguration(url: url, maximumConnections: 10)
        _ = try await Migrator(configuration).migrate()
        pool = PostgresPool(configuration)
    }

    /// Done by the test itself, not by `deinit`: a process that ends in the middle of a connect may abort.
    fileprivate func drop() async throws {
        pool.shutdown()
        let administration = try PostgresPool(
            PostgresConfiguration(url: Self.address("postgres"), maximumConnections: 2))
        defer { administration.shutdown() }
        _ = try await administration.query(.write("drop database if exists \(name) with (force)"))
    }

    /// The database of the running test.
    @TaskLocal static var current: WorkerDatabase?

    struct NoServer: Error, CustomStringConvertible {
        let description = "TEST_DATABASE_URL must name a running server; scripts/test starts one"
    }

    private static func address(_ database: String) throws -> String {
        guard let server = ProcessInfo.processInfo.environment["TEST_DATABASE_URL"],
            var parts = URLComponents(string: server)
        else { throw NoServer() }
        parts.path = "/" + database
        guard let url = parts.string else { throw NoServer() }
        return url
    }

    @discardableResult
    func sql(_ text: String, _ parameters: [SQLValue] = []) async throws -> Rows {
        try await pool.query(.write(text), parameters)
    }

    func count(_ text: String) async throws -> Int {
        try await sql("select count(*) from \(text)").required().int(0)
    }

    /// The first column of the first row, as text.
    func text(_ query: String) async throws -> String? {
        try await sql(query).first?.optional(0, Row.text)
    }
}

/// Gives each test of a suite a database of its own and drops it afterwards.
struct FreshDatabase: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let database = try await WorkerDatabase()
        let result: Result<Void, any Error>
        do {
            result = .success(try await WorkerDatabase.$current.withValue(database) { try await function() })
        } catch {
            result = .failure(error)
        }
        try await database.drop()
        try result.get()
    }
}

extension Trait where Self == FreshDatabase {
    static var freshDatabase: Self { Self() }
}

/// What a test waited for did not happen in time.
struct NeverHappened: Error {}

/// Waits until a condition holds; throws at the deadline.
func until(within limit: Duration = .seconds(15), _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw NeverHappened()
}
