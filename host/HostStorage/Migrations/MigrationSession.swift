internal import CPostgres

/// One blocking connection that migrates; lives on a helper thread.
final class MigrationSession {
    private let handle: PostgresHandle

    init(_ configuration: PostgresConfiguration) throws(MigrationError) {
        do {
            handle = try PostgresHandle.connect(configuration.url, timeout: configuration.connectTimeout)
            try handle.execute("set statement_timeout = 0; set lock_timeout = '5s'")
        } catch {
            throw .storage(error)
        }
    }

    /// Takes the lock that serialises all migrating and makes the table that remembers.
    ///
    /// The lock ends with the connection. Waiting for it is bounded, because another run may be long.
    func prepare() throws(MigrationError) {
        try storage { () throws(StorageError) in
            try handle.execute("set lock_timeout = '60s'; select pg_advisory_lock(718270143); set lock_timeout = '5s'")
            // Both checks first: the owner of the schema need not be allowed to create schemas.
            if try value("select to_regnamespace('alfred') is null") == "t" {
                try handle.execute("create schema alfred")
            }
            try handle.execute(
                """
                create table if not exists alfred.schema_migrations (
                    version int primary key, name text not null, checksum text not null,
                    applied_at timestamptz not null default now(), duration_ms int not null)
                """)
        }
    }

    func isPrepared() throws(MigrationError) -> Bool {
        try storage { () throws(StorageError) in
            try value("select to_regclass('alfred.schema_migrations') is not null") == "t"
        }
    }

    /// Checksums by version.
    func applied() throws(MigrationError) -> [Int: String] {
        try storage { () throws(StorageError) in
            let text = try value(
                "select coalesce(string_agg(version || ':' || checksum, ','), '') from alfred.schema_migrations")
            let pairs = text.split(separator: ",").compactMap { entry -> (Int, String)? in
                let parts = entry.split(separator: ":")
                guard parts.count == 2, let version = Int(parts[0]) else { return nil }
                return (version, String(parts[1]))
            }
            return Dictionary(pairs) { first, _ in first }
        }
    }

    func apply(_ migration: Migration) throws(MigrationError) {
        let started = Instant.now
        if migration.needsTransaction { try run("begin", migration) }
        // The first migration makes the role that owns everything later ones make.
        if migration.version > 1, try isOwnerAvailable() { try run("set role alfred_owner", migration) }
        try run(migration.sql, migration)
        let name = migration.name.filter { $0 != "'" }
        let milliseconds = Instant.now.milliseconds(since: started)
        try run(
            """
            insert into alfred.schema_migrations (version, name, checksum, duration_ms)
            values (\(migration.version), '\(name)', '\(migration.checksum)', \(milliseconds))
            """, migration)
        if migration.needsTransaction { try run("commit", migration) }
        try run("reset role", migration)
    }

    private func isOwnerAvailable() throws(MigrationError) -> Bool {
        try storage { () throws(StorageError) in
            try value(
                """
                select coalesce((select pg_has_role(current_user, oid, 'member') from pg_roles
                where rolname = 'alfred_owner'), false)
                """) == "t"
        }
    }

    private func run(_ sql: String, _ migration: Migration) throws(MigrationError) {
        let result = unsafe PQexec(handle.pointer, sql)
        defer { unsafe PQclear(result) }
        guard let failure = unsafe PostgresFailure(result) else { return }
        let lost = unsafe PQstatus(handle.pointer) == CONNECTION_BAD
        // A failed transaction is rolled back by the server when the connection ends, which it does with this error.
        throw lost ? .storage(.unavailable) : .failed(version: migration.version, sqlstate: failure.sqlstate)
    }

    private func value(_ sql: String) throws(StorageError) -> String {
        let result = unsafe PQexec(handle.pointer, sql)
        defer { unsafe PQclear(result) }
        if let failure = unsafe PostgresFailure(result) { throw failure.storageError }
        guard unsafe PQntuples(result) == 1, let text = unsafe PQgetvalue(result, 0, 0) else { throw .unreadableAnswer }
        return unsafe String(cString: text)
    }

    private func storage<Value>(_ body: () throws(StorageError) -> Value) throws(MigrationError) -> Value {
        do { return try body() } catch { throw .storage(error) }
    }
}
