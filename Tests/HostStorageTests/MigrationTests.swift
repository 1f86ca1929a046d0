import Foundation
import Testing

@testable import HostStorage

@Suite struct MigrationTests {
    @Test func listsEveryFileOfTheFolder() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../host/HostStorage/migrations").standardizedFileURL
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".sql") }
            .sorted()
        #expect(!files.isEmpty)
        let listed = Migration.all.map { String("000\($0.version)".suffix(4)) + "_\($0.name).sql" }
        #expect(listed == files)
        for (migration, file) in zip(Migration.all, files) {
            let text = try String(contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
            #expect(migration.sql == text)
        }
    }

    @Test func appliesEverythingToAnEmptyDatabaseOnce() async throws {
        let database = try await TestDatabase.make(migrated: false)
        let migrator = Migrator(PostgresConfiguration(url: database.url))
        let versions = Migration.all.map(\.version)
        #expect(try await migrator.check().pending == versions)
        await #expect(throws: StorageError.schemaOutdated) { try await SchemaCheck(database.pool).requireCurrent() }
        #expect(try await migrator.migrate() == versions)
        #expect(try await migrator.migrate() == [])
        #expect(try await migrator.check().isCurrent)
        try await HealthChecks(database.pool).migrations()
        try await HealthChecks(database.pool).database()
    }

    @Test func concurrentRunsApplyEachMigrationOnce() async throws {
        let database = try await TestDatabase.make(migrated: false)
        let configuration = PostgresConfiguration(url: database.url)
        let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0..<4 { group.addTask { try await Migrator(configuration).migrate() } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.sorted() == Migration.all.map(\.version))
    }

    @Test func refusesAFileThatWasChangedAfterwards() async throws {
        let database = try await TestDatabase.make(migrated: false)
        let configuration = PostgresConfiguration(url: database.url)
        let first = Migration(version: 1, name: "one", sql: "create table alfred.one (a int)")
        _ = try await Migrator(configuration, migrations: [first]).migrate()
        let changed = Migration(version: 1, name: "one", sql: "create table alfred.one (a bigint)")
        await #expect(throws: MigrationError.changed(version: 1)) {
            _ = try await Migrator(configuration, migrations: [changed]).migrate()
        }
        #expect(try await Migrator(configuration, migrations: [changed]).check().changed == [1])
        await #expect(throws: StorageError.schemaOutdated) {
            try await SchemaCheck(database.pool, migrations: [changed]).requireCurrent()
        }
    }

    @Test func acceptsWhatANewerReleaseApplied() async throws {
        let database = try await TestDatabase.make(isPrivate: true)
        try await database.sql(
            "insert into alfred.schema_migrations (version, name, checksum, duration_ms) values (9999, 'later', 'x', 1)"
        )
        let status = try await Migrator(PostgresConfiguration(url: database.url)).check()
        #expect(status.isCurrent)
        #expect(status.newer == [9999])
        try await SchemaCheck(database.pool).requireCurrent()
    }

    @Test func leavesNothingOfAMigrationThatFails() async throws {
        let database = try await TestDatabase.make(migrated: false)
        let configuration = PostgresConfiguration(url: database.url)
        let broken = Migration(version: 1, name: "broken", sql: "create table alfred.half (a int); select 1 / 0")
        await #expect(throws: MigrationError.failed(version: 1, sqlstate: "22012")) {
            _ = try await Migrator(configuration, migrations: [broken]).migrate()
        }
        #expect(try await database.sql("select to_regclass('alfred.half') is null").required().bool(0))
        #expect(try await Migrator(configuration, migrations: [broken]).check().pending == [1])
    }

    @Test func runsAFileOutsideATransactionWhenItAsksForIt() async throws {
        let database = try await TestDatabase.make(isPrivate: true)
        let migrations =
            Migration.all + [
                Migration(
                    version: 9998, name: "index",
                    sql: "-- no-transaction\ncreate index concurrently later on alfred.users (created_at)")
            ]
        let configuration = PostgresConfiguration(url: database.url)
        #expect(try await Migrator(configuration, migrations: migrations).migrate() == [9998])
    }

    @Test func givesEachRoleOnlyWhatItNeeds() async throws {
        let database = try await TestDatabase.make()
        func may(_ role: String, _ right: String, _ table: String) async throws -> Bool {
            try await database.sql("select has_table_privilege('\(role)', 'alfred.\(table)', '\(right)')").required()
                .bool(0)
        }
        for role in ["alfred_api", "alfred_worker", "alfred_operator"] {
            #expect(try await !may(role, "update", "audit_events"))
        }
        #expect(try await may("alfred_worker", "delete", "audit_events"))
        #expect(try await !may("alfred_api", "delete", "audit_events"))
        #expect(try await !may("alfred_operator", "delete", "audit_events"))
        #expect(try await may("alfred_api", "insert", "jobs"))
        #expect(try await !may("alfred_api", "update", "jobs"))
        #expect(try await !may("alfred_api", "delete", "jobs"))
        for table in ["push_outbox", "dead_letter_jobs"] {
            for right in ["select", "insert", "update", "delete"] {
                #expect(try await !may("alfred_api", right, table))
            }
        }
        for table in ["schema_migrations", "users", "connectors", "devices"] {
            let owner = try await database.sql(
                "select pg_get_userbyid(relowner)::text from pg_class where oid = 'alfred.\(table)'::regclass")
            #expect(try owner.required().text(0) == "alfred_owner")
        }
    }

    @Test func nothingIsCompiledInASessionThatCouldNotSaySo() async throws {
        // A copy of a migrated database would not have its settings.
        let database = try await TestDatabase.make(migrated: false)
        _ = try await Migrator(PostgresConfiguration(url: database.url)).migrate()
        #expect(
            try await database.count(
                """
                pg_db_role_setting where setrole = 0 and 'jit=off' = any(setconfig)
                    and setdatabase = (select oid from pg_database where datname = current_database())
                """) == 1)
    }

    @Test func jobsMadeOneAfterTheOtherLieTogether() async throws {
        let database = try await TestDatabase.make()
        let made = try await database.sql("select alfred.time_ordered_id()").required().uuid(0)
        for id in [made, .timeOrdered()] {
            #expect(id.uuid.6 >> 4 == 7 && id.uuid.8 >> 6 == 2)
            let bytes = [id.uuid.0, id.uuid.1, id.uuid.2, id.uuid.3, id.uuid.4, id.uuid.5]
            let seconds = Double(bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) / 1000
            #expect(abs(Date().timeIntervalSince1970 - seconds) < 3600)
        }
    }
}
