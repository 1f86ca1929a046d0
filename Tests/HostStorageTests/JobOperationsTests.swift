import Foundation
import Testing

@testable import HostStorage

@Suite struct JobOperationsTests {
    private func failed(_ database: TestDatabase, _ user: UUID, _ type: JobType = .calendarScan) async throws -> UUID {
        let jobs = JobRepository(database.pool)
        let id = try await database.enqueue(user, type, expiresIn: 1)
        let job = try #require(try await claim(jobs).first { $0.lease.job == id })
        #expect(try await jobs.fail(job.lease, JobProblem(code: "BROKEN", message: "broken")))
        return id
    }

    @Test func listsAndShowsWithoutContent() async throws {
        let database = try await TestDatabase.make()
        let operations = JobOperations(try database.anotherPool(role: "alfred_operator"))
        let user = try await database.user()
        let id = try await failed(database, user)
        let waiting = try await database.enqueue(user, .meetingReminder, dueIn: 60)
        let job = try #require(try await operations.list(.failed).first)
        #expect(job.id == id && job.errorCode == "BROKEN" && job.isDeadLetter && job.redrivenAt == nil)
        #expect(try await operations.list(.failed, type: .meetingReminder).isEmpty)
        #expect(try await operations.list(.pending).map(\.id) == [waiting])
        #expect(try await operations.show(id) == job)
        #expect(try await operations.show(UUID()) == nil)
    }

    @Test func aRetriedJobIsTheSameRowWithFreshTries() async throws {
        let database = try await TestDatabase.make()
        let operations = JobOperations(try database.anotherPool(role: "alfred_operator"))
        let user = try await database.user()
        let id = try await failed(database, user)
        #expect(try await operations.retry(.job(id)) == [id])
        #expect(try await operations.retry(.job(id)).isEmpty)
        let job = try #require(try await claim(JobRepository(database.pool)).first)
        #expect(job.lease.job == id && job.attempts == 0 && !job.isExpired)
        #expect(try await database.count("alfred.dead_letter_jobs where redriven_at is not null") == 1)
        #expect(try await database.count("alfred.audit_events where event_type = 'JOB_REDRIVEN'") == 1)
        #expect(try await JobRepository(database.pool).backlog().map(\.deadLetters) == [0])
    }

    @Test func retriesAllOfATypeButNotWhatWasDiscarded() async throws {
        let database = try await TestDatabase.make()
        let operations = JobOperations(try database.anotherPool(role: "alfred_operator"))
        var scans: [UUID] = []
        for _ in 0..<3 { scans.append(try await failed(database, database.user())) }
        let reminder = try await failed(database, database.user(), .meetingReminder)
        #expect(try await operations.discard(scans[0]))
        #expect(try await !operations.discard(scans[0]))
        #expect(Set(try await operations.retry(.type(.calendarScan))) == Set(scans.dropFirst()))
        #expect(try await database.state(reminder) == "FAILED")
        #expect(try await database.count("alfred.dead_letter_jobs where job_id = $1", [.uuid(scans[0])]) == 0)
        #expect(try await operations.show(scans[0])?.outcome == "discarded")
    }

    @Test func manyRetriedJobsOfOneUserStandParkedBehindTheFirstEight() async throws {
        let database = try await TestDatabase.make()
        let operations = JobOperations(try database.anotherPool(role: "alfred_operator"))
        let jobs = JobRepository(database.pool)
        let (flooder, quiet) = (try await database.user(), try await database.user())
        try await database.sql(
            """
            insert into alfred.jobs (user_id, type, due_at, idempotency_key, state, finished_at)
            select $1, 'MEETING_REMINDER', now() - interval '1 hour', n::text, 'FAILED', now()
            from generate_series(1, 1500) n
            """, [.uuid(flooder)])
        for expected in [1000, 500] {
            #expect(try await operations.retry(.type(.meetingReminder)).count == expected)
            #expect(try await database.count("alfred.jobs where state = 'PENDING' and ready") == 8)
        }
        let job = try await database.enqueue(quiet, .testNotification)
        let claimed = try await claim(jobs, maximum: 4)
        #expect(claimed.map(\.lease.job).contains(job) && claimed.count == 2)
        #expect(try await database.count("alfred.jobs where state = 'PENDING' and ready") == 8)
    }

    @Test func deletesWhatIsOldAndNothingElse() async throws {
        let database = try await TestDatabase.make()
        let retention = RetentionRepository(try database.anotherPool(role: "alfred_worker"))
        let user = try await database.user()
        for (state, age) in [("DONE", 6), ("DONE", 8), ("FAILED", 8), ("FAILED", 31)] {
            try await database.sql(
                """
                insert into alfred.jobs (user_id, type, due_at, idempotency_key, state, finished_at)
                values ($1, 'CALENDAR_SCAN', now(), $2, $3, now() - $4::int * interval '1 day')
                """, [.uuid(user), .text("\(state)\(age)"), .text(state), .int(age)])
        }
        try await database.sql(
            """
            insert into alfred.email_seen (user_id, message_hash, seen_at)
            select $1, sha256(n::text::bytea), now() - n * interval '1 day' from generate_series(1, 12) n
            """, [.uuid(user)])
        try await database.sql(
            """
            insert into alfred.audit_events (user_id, event_type, result, created_at)
            select $1, 'X', 'SUCCESS', now() - n * interval '1 day' from generate_series(1, 40) n
            """, [.uuid(user)])
        var deleted: [RetentionRepository.Kind: Int] = [:]
        for kind in RetentionRepository.Kind.allCases {
            deleted[kind] = try await retention.delete(kind, auditDays: 30)
        }
        #expect(deleted[.doneJobs] == 1 && deleted[.failedJobs] == 1)
        #expect(deleted[.emailSeen] == 5 && deleted[.auditEvents] == 11)
        let left = try await database.sql("select string_agg(idempotency_key, ' ' order by 1) from alfred.jobs")
        #expect(try left.required().text(0) == "DONE6 FAILED8")
    }
}
