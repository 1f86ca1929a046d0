import Foundation

@testable import HostStorage

/// A database of its own for one suite, copied from a migrated one. Dropped when the last owner lets go of it.
final class TestDatabase: Sendable {
    let name: String
    let url: String
    let pool: PostgresPool

    /// The server the tests run on; `scripts/test` starts it.
    static let serverURL = ProcessInfo.processInfo.environment["TEST_DATABASE_URL"]

    /// One template for the whole run, made by whoever comes first.
    private static let template = Task { () async throws -> String in
        let name = "alfred_test_template_\(ProcessInfo.processInfo.processIdentifier)"
        try await administer("drop database if exists \(name)")
        try await administer("create database \(name)")
        _ = try await Migrator(PostgresConfiguration(url: try address(of: name))).migrate()
        return name
    }

    /// Makes one; an empty one when it is not to be migrated.
    static func make(
        migrated: Bool = true, maximumConnections: Int = 10, statementTimeout: Duration = .seconds(10),
        usePreparedStatements: Bool = true
    ) async throws -> TestDatabase {
        let name = "alfred_test_\(UUID().uuidString.lowercased().replacing("-", with: ""))"
        if migrated {
            let template = try await template.value
            try await administer("create database \(name) template \(template)", tries: 50)
        } else {
            try await administer("create database \(name)", tries: 50)
        }
        let url = try address(of: name)
        return TestDatabase(
            name: name, url: url,
            pool: PostgresPool(
                PostgresConfiguration(
                    url: url, maximumConnections: maximumConnections, statementTimeout: statementTimeout,
                    usePreparedStatements: usePreparedStatements)))
    }

    private init(name: String, url: String, pool: PostgresPool) {
        self.name = name
        self.url = url
        self.pool = pool
    }

    deinit {
        pool.shutdown()
        let name = name
        Task { try? await Self.administer("drop database if exists \(name) with (force)") }
    }

    /// Another pool on the same database.
    func anotherPool(maximumConnections: Int = 10, role: String? = nil) throws -> PostgresPool {
        var configuration = PostgresConfiguration(url: url, maximumConnections: maximumConnections)
        if let role { configuration.url += (url.contains("?") ? "&" : "?") + "options=-c%20role%3D\(role)" }
        return PostgresPool(configuration)
    }

    /// A new active user.
    func user() async throws -> UUID {
        let user = UUID()
        _ = try await UserRepository(pool).ensureActive(user)
        return user
    }

    /// A user with a registered device and an ACTIVE connector with the calendar scope.
    func connectedUser() async throws -> (user: UUID, device: UUID, connector: UUID) {
        let user = try await user()
        let device = try await register(user, "phone")
        let connector = UUID()
        let write = SealedRecordWrite(
            user: user, connector: connector, provider: .google, expectedVersion: 0, newVersion: 1, keyID: "k",
            keyVersion: 1, sealed: [1])
        _ = try await SealedRecordRepository(pool).put(write)
        let state = NewOAuthState(
            id: UUID(), user: user, stateSHA256: .random(32), redirectURI: "alfred://oauth/google/callback",
            sealedVerifier: [1], sealedKeyVersion: 1, lifetime: .seconds(600))
        try await OAuthStateRepository(pool).insert(state)
        _ = try await ConnectorRepository(pool).activate(
            ConnectorActivation(
                user: user, connector: connector, recordVersion: 1, scopes: [GoogleScope.calendar], state: state.id,
                accountChanged: false, attestedMeasurement: "m"))
        return (user, device, connector)
    }

    @discardableResult
    func register(_ user: UUID, _ device: String, token: [UInt8] = .random(32)) async throws -> UUID {
        try await DeviceRepository(pool).register(
            DeviceRegistration(
                user: user, deviceIdentifier: device, sealedToken: [9], tokenSHA256: token, sealedKeyVersion: 1,
                environment: .sandbox))
    }

    /// Runs SQL for a test's own purposes.
    @discardableResult
    func sql(_ text: String, _ parameters: [SQLValue] = []) async throws -> Rows {
        try await pool.query(.write(text), parameters)
    }

    func count(_ text: String, _ parameters: [SQLValue] = []) async throws -> Int {
        try await sql("select count(*) from \(text)", parameters).required().int(0)
    }

    // MARK: - Server

    static func address(of database: String) throws -> String {
        guard let serverURL, var parts = URLComponents(string: serverURL) else { throw MissingServer() }
        parts.path = "/" + database
        guard let url = parts.string else { throw MissingServer() }
        return url
    }

    private static let administration = Task { () throws -> PostgresPool in
        PostgresPool(
            PostgresConfiguration(
                url: try address(of: "postgres"), maximumConnections: 2, statementTimeout: .seconds(60)))
    }

    /// Copying a template needs it unused for a moment, so a busy one is tried again.
    private static func administer(_ sql: String, tries: Int = 1) async throws {
        let pool = try await administration.value
        for remaining in stride(from: tries, to: 0, by: -1) {
            do {
                _ = try await pool.query(.write(sql))
                return
            } catch {
                guard remaining > 1, error == .unexpected(sqlstate: "55006") else { throw error }
            }
        }
    }
}

struct MissingServer: Error, CustomStringConvertible {
    let description = "TEST_DATABASE_URL and TEST_REDIS_URL must name running servers; scripts/test starts them"
}

extension [UInt8] {
    static func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0...255) } }
}

/// Waits until a condition holds; `false` at the deadline.
func eventually(within limit: Duration = .seconds(10), _ condition: () async throws -> Bool) async rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return false
}
