import Foundation
import Testing

@testable import HostStorage

/// Whatever one user has waiting, others do not wait for it.
@Suite struct FairShareTests {
    private func flood(_ database: TestDatabase, _ user: UUID, _ count: Int, ago: String = "1 hour") async throws {
        try await database.sql(
            """
            insert into alfred.jobs (user_id, type, due_at, idempotency_key)
            select $1, 'CALENDAR_SCAN', now() - $3::text::interval + n * interval '1 millisecond', n::text
            from generate_series(1, $2::int) n
            """, [.uuid(user), .int(count), .text(ago)])
    }

    @Test func oneJobIsTheNextToStartBehindAHundredThousandOfAnother() async throws {
        let database = try await TestDatabase.make(statementTimeout: .seconds(120))
        let repository = JobRepository(database.pool)
        let (flooder, quiet) = (try await database.user(), try await database.user())
        try await flood(database, flooder, 100_000)
        #expect(try await database.count("alfred.jobs where state = 'PENDING' and ready") == 8)
        #expect(try await claim(repository, maximum: 32).map(\.lease.user) == [flooder])
        let job = try await database.enqueue(quiet)
        #expect(try await claim(repository, maximum: 32).map(\.lease.job) == [job])
        // The place the claim freed is filled by a parked one.
        #expect(try await database.count("alfred.jobs where state = 'PENDING' and ready") == 8)
    }

    @Test(arguments: ["n desc", "random()"])
    func eightAreInTheQueueInWhateverOrderJobsCome(_ order: String) async throws {
        let database = try await TestDatabase.make(statementTimeout: .seconds(120))
        let repository = JobRepository(database.pool)
        let (flooder, quiet) = (try await database.user(), try await database.user())
        try await database.sql(
            """
            insert into alfred.jobs (user_id, type, due_at, idempotency_key)
            select $1, 'CALENDAR_SCAN', now() - interval '1 hour' + n * interval '1 millisecond', n::text
            from generate_series(1, 5000) n order by \(order)
            """, [.uuid(flooder)])
        let ready = try await database.sql(
            "select string_agg(idempotency_key, ' ' order by due_at) from alfred.jobs where ready")
        #expect(try ready.required().text(0) == "1 2 3 4 5 6 7 8")
        let job = try await database.enqueue(quiet)
        #expect(try await claim(repository, maximum: 4).map(\.lease.job).contains(job))
        #expect(try await database.count("alfred.jobs where state = 'PENDING' and ready") == 8)
    }

    @Test func jobsOfTheFarFutureKeepNobodyOut() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let user = try await database.user()
        for day in 1...12 { try await database.enqueue(user, .meetingReminder, dueIn: Double(day) * 86_400) }
        let (near, due) = (
            try await database.enqueue(user, .meetingReminder, dueIn: 600),
            try await database.enqueue(user, .testNotification)
        )
        #expect(try await database.count("alfred.jobs where ready") == 8)
        #expect(try await database.count("alfred.jobs where ready and id = $1", [.uuid(near)]) == 1)
        #expect(try await claim(repository).map(\.lease.job) == [due])
    }

    @Test func jobsThatComeBackDoNotFillTheQueue() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        try await flood(database, database.user(), 60)
        for round in 0..<30 {
            let job = try #require(try await claim(repository).first)
            let problem = JobProblem(code: "X", message: "x")
            if round % 2 == 0 {
                _ = try await repository.retry(job.lease, problem, policy: policy)
            } else {
                #expect(try await repository.postpone(job.lease, until: Date(timeIntervalSinceNow: 60)))
            }
            #expect(try await database.count("alfred.jobs where state = 'PENDING' and ready") <= 8)
        }
    }

    @Test func aClaimReadsAFewRowsOfAFlood() async throws {
        let database = try await TestDatabase.make(statementTimeout: .seconds(120))
        let user = try await database.user()
        try await flood(database, user, 20_000)
        try await database.sql("analyze alfred.jobs")
        let parameters = JobClaim(
            owner: "plan", maximum: 32, maximumBackground: 32, perUserLimit: 1, lease: .seconds(60)
        ).parameters(reach: (8, 8))
        let plan = try await database.pool.query(
            .write("explain (analyze, buffers, format json) " + JobRepository.claimDue.sql), parameters)
        let text = String(decoding: try plan.required().bytes(0), as: UTF8.self)
        let blocks = text.matches(of: #/"Shared Hit Blocks": (\d+)/#).compactMap { Int($0.1) }.max() ?? .max
        #expect(blocks < 2000, "\(blocks) blocks for one claim")
    }

    @Test func usersAtTheirLimitDoNotHideOthers() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        for _ in 0..<150 { try await flood(database, database.user(), 12) }
        #expect(try await claim(repository, maximum: 150).count == 150)
        let job = try await database.enqueue(database.user())
        #expect(try await claim(repository, maximum: 4).map(\.lease.job) == [job])
    }

    @Test func everyParkedJobRunsInItsTurn() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let user = try await database.user()
        try await flood(database, user, 60)
        var order: [Int] = []
        while let job = try await claim(repository).first {
            order.append(try #require(Int(job.idempotencyKey)))
            _ = try await repository.finish([(job.lease, "no_notification")])
        }
        #expect(order == Array(1...60))
    }

    @Test func parkedJobsMoveUpWhenThoseBeforeThemAreDeleted() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        for _ in 0..<5 { try await flood(database, database.user(), 20) }
        try await database.sql("delete from alfred.jobs where ready")
        #expect(try await claim(repository).isEmpty)
        #expect(try await repository.promoteParked() == 40)
        #expect(try await repository.promoteParked() == 0)
        #expect(try await claim(repository).count == 5)
    }

    @Test func endsManyExecutionsAtOnceAndOnlyThoseStillHeld() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        for _ in 0..<6 { try await database.enqueue(database.user()) }
        let jobs = try await claim(repository)
        try await database.sql(
            "update alfred.jobs set lease_token = lease_token + 1 where id = $1", [.uuid(jobs[0].lease.job)])
        #expect(try await repository.heartbeat(jobs.map(\.lease), extendBy: .seconds(60)) == [jobs[0].lease.job])
        let ended = try await repository.finish(jobs.map { ($0.lease, "no_notification") })
        #expect(ended == Set(jobs.dropFirst().map(\.lease.job)))
        #expect(try await database.count("alfred.jobs where state = 'DONE' and outcome = 'no_notification'") == 5)
        #expect(try await repository.finish(jobs.map { ($0.lease, "again") }).isEmpty)
    }
}
