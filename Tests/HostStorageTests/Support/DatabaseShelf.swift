import Foundation

@testable import HostStorage

/// Hands out migrated databases, a few at a time, and uses them again after emptying them: copying one per test would
/// fill the disk.
actor DatabaseShelf {
    static let shared = DatabaseShelf()

    /// Databases in use at once.
    private static let maximum = 8

    private var free: [String] = []
    private var lent = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var template: Task<String, any Error>?

    /// A migrated, empty database that nobody else uses.
    func take() async throws -> String {
        try await enter()
        if let name = free.popLast() { return name }
        let template = try await self.templateName()
        let name = Self.newName()
        try await TestServer.run("create database \(name) template \(template)")
        return name
    }

    /// A database without anything in it, or a copy of the migrated one that may be altered: never used again.
    func takePrivate(migrated: Bool) async throws -> String {
        try await enter()
        let name = Self.newName()
        let template = migrated ? try await templateName() : "template1"
        try await TestServer.run("create database \(name) template \(template)")
        return name
    }

    /// Empties a database, or drops a private one.
    func give(_ name: String, isPrivate: Bool) async {
        do {
            if isPrivate {
                try await TestServer.run("drop database if exists \(name) with (force)")
            } else {
                try await TestServer.empty(name)
                free.append(name)
            }
        } catch {
            // It cannot be cleaned: it is left out from now on.
        }
        lent -= 1
        if !waiting.isEmpty { waiting.removeFirst().resume() }
    }

    private func enter() async throws {
        while lent >= Self.maximum {
            await withCheckedContinuation { waiting.append($0) }
        }
        lent += 1
    }

    private static func newName() -> String {
        "\(TestServer.prefix)\(UUID().uuidString.lowercased().replacing("-", with: ""))"
    }

    private func templateName() async throws -> String {
        if let template { return try await template.value }
        let task = Task { () async throws -> String in
            try await TestServer.dropDatabasesOfEarlierRuns()
            let name = TestServer.prefix + "template"
            try await TestServer.run("create database \(name)")
            _ = try await Migrator(PostgresConfiguration(url: try TestServer.address(of: name))).migrate()
            return name
        }
        template = task
        return try await task.value
    }
}

/// The Postgres server the tests run on; `scripts/test` starts it.
enum TestServer {
    /// Names this process's databases.
    static let prefix = "alfred_test_\(ProcessInfo.processInfo.processIdentifier)_"

    private static let administration = Task { () throws -> PostgresPool in
        PostgresPool(
            PostgresConfiguration(
                url: try address(of: "postgres"), maximumConnections: 4, statementTimeout: .seconds(60)))
    }

    static func address(of database: String) throws -> String {
        guard let server = ProcessInfo.processInfo.environment["TEST_DATABASE_URL"],
            var parts = URLComponents(string: server)
        else { throw MissingServer() }
        parts.path = "/" + database
        guard let url = parts.string else { throw MissingServer() }
        return url
    }

    /// Copying a template needs it unused for a moment, so a busy one is tried again.
    static func run(_ sql: String) async throws {
        let pool = try await administration.value
        for remaining in stride(from: 50, to: 0, by: -1) {
            do {
                _ = try await pool.query(.write(sql))
                return
            } catch {
                guard remaining > 1, error == .unexpected(sqlstate: "55006") else { throw error }
            }
        }
    }

    /// Ends what still runs in a database and empties its tables.
    static func empty(_ name: String) async throws {
        let pool = try await administration.value
        _ = try await pool.query(
            .write("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1"), [.text(name)])
        let own = PostgresPool(PostgresConfiguration(url: try address(of: name), maximumConnections: 2))
        defer { own.shutdown() }
        _ = try await own.query(
            .write(
                "truncate alfred.users, alfred.wrapped_data_keys, alfred.pending_revocations cascade"))
    }

    /// A run that was killed leaves its databases behind.
    static func dropDatabasesOfEarlierRuns() async throws {
        let pool = try await administration.value
        let names = try await pool.query(
            .read("select datname::text from pg_database where datname like 'alfred_test_%'")
        )
        .map { row throws(StorageError) in try row.text(0) }
        for name in names {
            guard let process = name.split(separator: "_").dropFirst(2).first.flatMap({ Int32($0) }),
                kill(process, 0) != 0 || process == ProcessInfo.processInfo.processIdentifier
            else { continue }
            try? await run("drop database if exists \(name) with (force)")
        }
    }
}

struct MissingServer: Error, CustomStringConvertible {
    let description = "TEST_DATABASE_URL and TEST_REDIS_URL must name running servers; scripts/test starts them"
}
