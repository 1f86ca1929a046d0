import Foundation
import Testing

@testable import HostStorage

@Suite struct PoolTests {
    @Test func bindsAndReadsEveryType() async throws {
        let database = try await TestDatabase.make()
        let id = UUID()
        let time = Date(timeIntervalSince1970: 1_790_000_000.123456)
        let row = try await database.pool.query(
            .read(
                "select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::uuid[], null::int4, $11::bytea[], $2::int2, $12::int8[]"
            ),
            [
                .bool(true), .int(-42), .double(1.5), .text("grüße"), .bytes([0, 255, 1]), .uuid(id), .time(time),
                .json("{\"a\":1}"), .texts(["x", "", "ü"]), .uuids([id]), .byteStrings([[1], []]), .ints([7, -7]),
            ]
        ).required()
        #expect(try row.bool(0))
        #expect(try row.int(1) == -42)
        #expect(try row.double(2) == 1.5)
        #expect(try row.text(3) == "grüße")
        #expect(try row.bytes(4) == [0, 255, 1])
        #expect(try row.uuid(5) == id)
        #expect(try abs(row.time(6).timeIntervalSince(time)) < 0.000_002)
        #expect(try String(decoding: row.json(7), as: UTF8.self) == "{\"a\": 1}")
        #expect(try row.texts(8) == ["x", "", "ü"])
        #expect(try row.isNull(10))
        #expect(try row.int(12) == -42)
    }

    @Test func keepsNullsApartFromEmptyValues() async throws {
        let database = try await TestDatabase.make()
        let rows = try await database.pool.query(
            .read("select v from (values (''::text), (null), ('b'), (null), ('')) t(v)"))
        let values = try rows.map { row throws(StorageError) in try row.optional(0, Row.text) }
        #expect(values == ["", nil, "b", nil, ""])
    }

    @Test func answersManyConcurrentCallersEachWithTheirOwn() async throws {
        let database = try await TestDatabase.make()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<2_000 {
                group.addTask {
                    let statement: Statement =
                        number % 3 == 0 ? .write("select $1::int8 * 2") : .read("select $1::int8 * 2")
                    return try await database.pool.query(statement, [.int(number)]).required().int(0) == number * 2
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func carriesLargeValuesBothWaysAtOnce() async throws {
        let database = try await TestDatabase.make()
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<64 {
                group.addTask {
                    let value = [UInt8](repeating: UInt8(number), count: 512 * 1024)
                    return try await database.pool.query(.read("select $1"), [.bytes(value)]).required().bytes(0)
                        == value
                }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test func aTaskCancelledBeforehandAsksNothing() async throws {
        let database = try await TestDatabase.make()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await database.pool.query(.write("select 1"))
        }
        await #expect(throws: StorageError.cancelled) { _ = try await task.value }
    }

    @Test func keepsAnErrorToTheCallThatCausedIt() async throws {
        let database = try await TestDatabase.make()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    do {
                        let row = try await database.pool.query(.read("select 10 / $1::int8"), [.int(number % 2)])
                            .required()
                        #expect(number % 2 == 1)
                        #expect(try row.int(0) == 10)
                    } catch {
                        #expect(number % 2 == 0)
                        #expect(error as? StorageError == .unexpected(sqlstate: "22012"))
                    }
                }
            }
        }
    }

    @Test func rollsBackWhenTheBodyThrows() async throws {
        let database = try await TestDatabase.make()
        let user = UUID()
        await #expect(throws: StorageError.conflict) {
            try await database.pool.withTransaction { tx throws(StorageError) in
                try await tx.query(.write("insert into alfred.users (id) values ($1)"), [.uuid(user)])
                throw StorageError.conflict
            }
        }
        #expect(try await UserRepository(database.pool).status(user) == nil)
    }

    @Test func doesNotReportASwallowedErrorAsCommitted() async throws {
        let database = try await TestDatabase.make()
        await #expect(throws: StorageError.unexpected(sqlstate: "25P02")) {
            try await database.pool.withTransaction { tx throws(StorageError) in
                _ = try? await tx.query(.write("select 1 / 0"))
            }
        }
        #expect(try await database.pool.query(.write("select 1")).count == 1)
    }

    @Test func namesTheUniqueConstraint() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        await #expect(throws: StorageError.unique(constraint: "users_pkey")) {
            _ = try await database.pool.query(.write("insert into alfred.users (id) values ($1)"), [.uuid(user)])
        }
    }

    @Test func endsAStatementThatTakesTooLong() async throws {
        let database = try await TestDatabase.make(statementTimeout: .milliseconds(300))
        let started = ContinuousClock.now
        for way in [Statement.read("select pg_sleep(30)"), .write("select pg_sleep(30)")] {
            await #expect(throws: StorageError.timeout) { _ = try await database.pool.query(way) }
        }
        #expect(ContinuousClock.now - started < .seconds(5))
        #expect(try await database.pool.query(.read("select 1")).count == 1)
    }

    @Test func waitsForAConnectionOnlyUntilTheDeadline() async throws {
        let database = try await TestDatabase.make(maximumConnections: 2, statementTimeout: .milliseconds(500))
        try await database.pool.withTransaction { tx throws(StorageError) in
            try await tx.query(.write("select 1"))
            var failure: StorageError?
            do throws(StorageError) {
                _ = try await database.pool.query(.write("select 1"))
            } catch {
                failure = error
            }
            #expect(failure == .timeout)
        }
    }

    @Test func givesUpAtOnceWhenCancelledAndRollsBack() async throws {
        let database = try await TestDatabase.make()
        let user = UUID()
        let started = ContinuousClock.now
        let task = Task {
            try await database.pool.withTransaction { tx throws(StorageError) in
                try await tx.query(.write("insert into alfred.users (id) values ($1)"), [.uuid(user)])
                try await tx.query(.write("select pg_sleep(9)"))
            }
        }
        let isSleeping = try await eventually {
            try await database.count(
                "pg_stat_activity where datname = current_database() and query like 'select pg_sleep(9)%' and state = 'active'"
            )
                == 1
        }
        #expect(isSleeping)
        task.cancel()
        await #expect(throws: StorageError.cancelled) { try await task.value }
        #expect(ContinuousClock.now - started < .seconds(5))
        #expect(try await UserRepository(database.pool).status(user) == nil)
    }

    @Test func aCancelledReadDoesNotDisturbItsNeighbours() async throws {
        let database = try await TestDatabase.make()
        let slow = Task { try await database.pool.query(.read("select pg_sleep(0.3)")) }
        let neighbours = (0..<20).map { number in
            Task { try await database.pool.query(.read("select $1::int8"), [.int(number)]).required().int(0) }
        }
        slow.cancel()
        for (number, neighbour) in neighbours.enumerated() { #expect(try await neighbour.value == number) }
        await #expect(throws: StorageError.cancelled) { _ = try await slow.value }
    }

    @Test func survivesTheEndOfEveryBackend() async throws {
        let database = try await TestDatabase.make()
        let other = try database.anotherPool(maximumConnections: 2)
        for _ in 0..<5 {
            _ = try await database.pool.query(.read("select 1"))
            _ = try await database.pool.query(.write("select 1"))
            _ = try await other.query(
                .write(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()"
                ),
                [.text(database.name)])
            let recovered = await eventually {
                let written = try? await database.pool.query(.write("select 1"))
                let read = try? await database.pool.query(.read("select 1"))
                return written != nil && read != nil
            }
            #expect(recovered)
        }
    }

    @Test func callsUnderWayFailWhenTheirBackendDies() async throws {
        let database = try await TestDatabase.make()
        let other = try database.anotherPool(maximumConnections: 2)
        let sleeping = Task { try await database.pool.query(.write("select pg_sleep(9)")) }
        let isKilled = try await eventually {
            try await other.query(
                .write(
                    """
                    select pg_terminate_backend(pid) from pg_stat_activity
                    where datname = $1 and query like 'select pg_sleep(9)%' and pid <> pg_backend_pid()
                    """), [.text(database.name)]
            ).count > 0
        }
        #expect(isKilled)
        await #expect(throws: StorageError.unavailable) { _ = try await sleeping.value }
    }

    @Test func refusesAtOnceWhenNobodyListens() async throws {
        let pool = PostgresPool(PostgresConfiguration(url: "postgres://127.0.0.1:1/nothing"))
        await #expect(throws: StorageError.unavailable) { _ = try await pool.query(.read("select 1")) }
        let started = ContinuousClock.now
        for _ in 0..<100 {
            await #expect(throws: StorageError.unavailable) { _ = try await pool.query(.write("select 1")) }
        }
        #expect(ContinuousClock.now - started < .seconds(2))
    }

    @Test func endsCallsOnShutdown() async throws {
        let database = try await TestDatabase.make()
        let pool = try database.anotherPool()
        let sleeping = Task { try await pool.query(.write("select pg_sleep(9)")) }
        let isSleeping = try await eventually {
            try await database.count(
                "pg_stat_activity where datname = current_database() and query like 'select pg_sleep(9)%' and state = 'active'"
            )
                == 1
        }
        #expect(isSleeping)
        pool.shutdown()
        await #expect(throws: StorageError.unavailable) { _ = try await sleeping.value }
        await #expect(throws: StorageError.unavailable) { _ = try await pool.query(.read("select 1")) }
    }

    @Test func worksWithUnnamedStatements() async throws {
        let database = try await TestDatabase.make(usePreparedStatements: false)
        for number in 0..<50 {
            #expect(try await database.pool.query(.read("select $1::int8"), [.int(number)]).required().int(0) == number)
        }
        let user = try await database.user()
        #expect(try await PreferencesRepository(database.pool).getOrCreate(user).timeZone == "UTC")
        let named = try await database.pool.query(.read("select count(*) from pg_prepared_statements")).required().int(
            0)
        #expect(named == 0)
    }

    @Test func repeatsAStatementWhosePlanNoLongerFits() async throws {
        let database = try await TestDatabase.make(isPrivate: true, maximumConnections: 2)
        try await database.sql("create table public.shape (a int)")
        try await database.sql("insert into public.shape values (1)")
        let read = Statement.read("select * from public.shape")
        #expect(try await database.pool.query(read).columns == 1)
        try await database.sql("alter table public.shape add column b int default 2")
        #expect(try await database.pool.query(read).columns == 2)
    }
}
