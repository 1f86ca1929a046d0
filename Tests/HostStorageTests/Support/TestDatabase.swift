import Foundation

@testable import HostStorage

/// A database of its own for one test, given back when the last owner lets go of it.
final class TestDatabase: Sendable {
    let name: String
    let url: String
    let pool: PostgresPool

    private let isPrivate: Bool

    /// Lends one. With `isPrivate` the test may change its schema; without `migrated` it has none.
    static func make(
        migrated: Bool = true, isPrivate: Bool = false, maximumConnections: Int = 10,
        statementTimeout: Duration = .seconds(10), usePreparedStatements: Bool = true
    ) async throws -> TestDatabase {
        let isPrivate = isPrivate || !migrated
        let shelf = DatabaseShelf.shared
        let name = isPrivate ? try await shelf.takePrivate(migrated: migrated) : try await shelf.take()
        let url = try TestServer.address(of: name)
        return TestDatabase(
            name: name, url: url, isPrivate: isPrivate,
            pool: PostgresPool(
                PostgresConfiguration(
                    url: url, maximumConnections: maximumConnections, statementTimeout: statementTimeout,
                    usePreparedStatements: usePreparedStatements)))
    }

    private init(name: String, url: String, isPrivate: Bool, pool: PostgresPool) {
        self.name = name
        self.url = url
        self.isPrivate = isPrivate
        self.pool = pool
    }

    deinit {
        pool.shutdown()
        let (name, isPrivate) = (name, isPrivate)
        Task { await DatabaseShelf.shared.give(name, isPrivate: isPrivate) }
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
