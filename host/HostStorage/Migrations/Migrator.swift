/// Where a database stands in relation to this program's migrations.
public struct MigrationStatus: Sendable, Equatable {
    /// Versions this program knows and the database lacks.
    public let pending: [Int]
    /// Versions applied with another content than this program has.
    public let changed: [Int]
    /// Versions applied that this program does not know; a newer release made them.
    public let newer: [Int]

    public var isCurrent: Bool { pending.isEmpty && changed.isEmpty }
}

/// Why migrating stopped.
public enum MigrationError: Error, Equatable, Sendable {
    /// An applied migration's file was changed.
    case changed(version: Int)
    /// A statement of a migration failed; the transaction was rolled back.
    case failed(version: Int, sqlstate: String)
    case storage(StorageError)
}

/// Applies the embedded migrations in order. Used by the operator's command only: other programs just check.
public struct Migrator: Sendable {
    private let configuration: PostgresConfiguration
    private let migrations: [Migration]

    public init(_ configuration: PostgresConfiguration) {
        self.init(configuration, migrations: Migration.all)
    }

    init(_ configuration: PostgresConfiguration, migrations: [Migration]) {
        self.configuration = configuration
        self.migrations = migrations.sorted { $0.version < $1.version }
    }

    /// Applies what is pending, under one advisory lock, and returns the versions applied.
    ///
    /// Statements have no timeout here, waiting for locks has 5 s.
    public func migrate() async throws(MigrationError) -> [Int] {
        let result = await onOwnThread { () throws(MigrationError) in
            let session = try MigrationSession(self.configuration)
            try session.prepare()
            let applied = try session.applied()
            let status = Self.compare(self.migrations, applied)
            if let changed = status.changed.first { throw .changed(version: changed) }
            for migration in self.migrations where status.pending.contains(migration.version) {
                try session.apply(migration)
            }
            return status.pending
        }
        return try result.get()
    }

    /// Compares without changing anything.
    public func check() async throws(MigrationError) -> MigrationStatus {
        let result = await onOwnThread { () throws(MigrationError) in
            let session = try MigrationSession(self.configuration)
            return Self.compare(self.migrations, try session.isPrepared() ? session.applied() : [:])
        }
        return try result.get()
    }

    static func compare(_ migrations: [Migration], _ applied: [Int: String]) -> MigrationStatus {
        let known = Set(migrations.map(\.version))
        return MigrationStatus(
            pending: migrations.map(\.version).filter { applied[$0] == nil },
            changed: migrations.filter { applied[$0.version] != nil && applied[$0.version] != $0.checksum }.map(
                \.version),
            newer: applied.keys.filter { !known.contains($0) }.sorted())
    }

    private func onOwnThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws(MigrationError) -> Value
    ) async -> Result<Value, MigrationError> {
        await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, MigrationError>, Never>) in
            let started = HelperThread.start {
                do throws(MigrationError) {
                    let value = try body()
                    continuation.resume(returning: .success(value))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if !started { continuation.resume(returning: .failure(.storage(.unavailable))) }
        }
    }
}

/// For programs that never migrate: every migration they know must be there, newer ones are accepted.
public struct SchemaCheck: Sendable {
    private let pool: PostgresPool
    private let migrations: [Migration]

    public init(_ pool: PostgresPool) { self.init(pool, migrations: Migration.all) }

    init(_ pool: PostgresPool, migrations: [Migration]) {
        self.pool = pool
        self.migrations = migrations
    }

    /// - Throws: `.schemaOutdated` when a migration is missing or was applied with another content.
    public func requireCurrent() async throws(StorageError) {
        let applied: [(Int, String)]
        do {
            applied = try await pool.query(Self.select).map { row throws(StorageError) in
                (try row.int(0), try row.text(1))
            }
        } catch {
            // No such schema or table: nothing was ever applied.
            guard error == .unexpected(sqlstate: "42P01") || error == .unexpected(sqlstate: "3F000") else {
                throw error
            }
            throw .schemaOutdated
        }
        let status = Migrator.compare(migrations, Dictionary(applied) { first, _ in first })
        guard status.isCurrent else { throw .schemaOutdated }
    }

    private static let select = Statement.read("select version, checksum from alfred.schema_migrations limit 10000")
}
