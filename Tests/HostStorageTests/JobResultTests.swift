import Foundation
import Testing

@testable import HostStorage

@Suite struct JobResultTests {
    @Test func aLostLeaseWritesNothing() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let (user, device) = (try await database.user(), UUID())
        _ = device
        let phone = try await database.register(user, "phone")
        let job = try await database.enqueue(user)
        let first = try #require(try await claim(repository, lease: .zero).first)
        #expect(
            try await repository.reap(policy: RetryPolicy(base: .zero, maximum: .zero))
                == JobReapResult(returned: 1, deadLettered: 0))
        let second = try #require(try await claim(repository).first)
        #expect(second.lease.job == job)
        #expect(second.lease.token == first.lease.token + 1)
        #expect(second.attempts == 1)

        let effect = JobEffect(
            outcome: "notified",
            pushes: NewPushes(
                actionKey: "a", kind: .meetingReminder, expiresAt: Date(timeIntervalSinceNow: 60),
                items: [NewPush(id: UUID(), device: phone, sealedPayload: [1], sealedKeyVersion: 1)]),
            audits: [.jobActionGenerated(job: first.lease.audit, action: AuditAction(source: "late"))])
        let problem = JobProblem(code: "X", message: "x")
        #expect(try await !repository.heartbeat(first.lease, extendBy: .seconds(60)))
        #expect(try await !repository.finish(first.lease, effect))
        #expect(try await repository.retry(first.lease, problem, policy: policy) == .leaseLost)
        #expect(try await !repository.defer(first.lease, problem))
        #expect(try await !repository.fail(first.lease, problem))
        #expect(try await database.count("alfred.push_outbox") == 0)
        #expect(try await database.count("alfred.dead_letter_jobs") == 0)
        #expect(try await database.count("alfred.audit_events where event_type like 'JOB%'") == 0)
        #expect(try await repository.heartbeat(second.lease, extendBy: .seconds(60)))
        #expect(try await database.state(job) == "RUNNING")
    }

    @Test func commitsTheWholeEffectOnce() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let user = try await database.user()
        let devices = [try await database.register(user, "phone"), try await database.register(user, "tablet")]
        let disabled = try await database.register(user, "old")
        #expect(try await DeviceRepository(database.pool).disable(disabled, of: user, reason: "Unregistered"))
        func effect(_ lease: JobLease) -> JobEffect {
            JobEffect(
                outcome: "notified",
                pushes: NewPushes(
                    actionKey: "same", kind: .meetingReminder, expiresAt: Date(timeIntervalSinceNow: 60),
                    items: (devices + [disabled]).map {
                        NewPush(id: UUID(), device: $0, sealedPayload: [1, 2], sealedKeyVersion: 1)
                    }),
                audits: [
                    .jobActionGenerated(job: lease.audit, action: AuditAction(source: "calendar", leadMinutes: 15))
                ])
        }
        for _ in 0..<2 {
            try await database.enqueue(user, .meetingReminder)
            let job = try #require(try await claim(repository).first)
            #expect(try await repository.finish(job.lease, effect(job.lease)))
            #expect(try await !repository.finish(job.lease, effect(job.lease)))
        }
        #expect(try await database.count("alfred.push_outbox") == 2)
        #expect(try await database.count("alfred.audit_events where event_type = 'JOB_ACTION_GENERATED'") == 2)
    }

    @Test func repeatsWithGrowingPausesAndBuriesAfterTheFifthTry() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let job = try await database.enqueue(database.user())
        for attempt in 1...5 {
            let claimed = try #require(try await claim(repository).first)
            #expect(claimed.attempts == attempt - 1)
            let outcome = try await repository.retry(
                claimed.lease, JobProblem(code: "TEMPORARY", message: "later"), policy: policy)
            #expect(outcome == (attempt < 5 ? .retried : .deadLettered))
            guard attempt < 5 else { break }
            let pause = try await database.sql(
                "select extract(epoch from due_at - now())::float8 from alfred.jobs where id = $1", [.uuid(job)]
            ).required().double(0)
            let longest = 30 * Double(1 << (attempt - 1))
            #expect(pause > longest / 2 - 5 && pause <= longest)
            try await database.sql("update alfred.jobs set due_at = now() where id = $1", [.uuid(job)])
        }
        #expect(try await database.state(job) == "FAILED")
        let letter = try await database.sql("select attempts, reason_code from alfred.dead_letter_jobs").required()
        #expect(try letter.int(0) == 5)
        #expect(try letter.text(1) == "TEMPORARY")
        let audit = try await database.sql(
            "select result, redacted_metadata from alfred.audit_events where event_type = 'JOB_DEAD_LETTERED'")
        let metadata = try JSONDecoder().decode([String: String].self, from: Data(audit.required().json(1)))
        #expect(
            metadata == [
                "job_id": job.uuidString.lowercased(), "job_type": "CALENDAR_SCAN", "request_id": "r-1",
                "reason": "TEMPORARY", "attempts": "5",
            ])
    }

    @Test func aRetryAfterIsAFloorCappedAtTheMaximum() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        try await database.enqueue(database.user())
        let job = try #require(try await claim(repository).first)
        let problem = JobProblem(code: "LIMITED", message: "limited")
        _ = try await repository.retry(
            job.lease, problem, policy: RetryPolicy(base: .seconds(1), maximum: .seconds(100)),
            retryAfter: .seconds(5000))
        let pause = try #require(try await repository.timeUntilNextDue())
        #expect(pause > .seconds(95) && pause <= .seconds(100))
    }

    @Test func deferringCountsNoAttempt() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let id = try await database.enqueue(database.user())
        for deferral in 0..<7 {
            let job = try #require(try await claim(repository).first)
            #expect(job.attempts == 0)
            #expect(job.deferrals == deferral)
            #expect(try await repository.defer(job.lease, JobProblem(code: "ENCLAVE_UNAVAILABLE", message: "away")))
            let pause = try #require(try await repository.timeUntilNextDue())
            #expect(pause <= .seconds(min(1 << deferral, 60)))
            try await database.sql("update alfred.jobs set due_at = now() where id = $1", [.uuid(id)])
        }
    }

    @Test func aRepeatIsMeasuredFromTheFirstDueTime() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let id = try await database.enqueue(database.user())
        let first = try #require(try await claim(repository).first)
        _ = try await repository.retry(first.lease, JobProblem(code: "X", message: "x"), policy: policy)
        try await database.sql(
            "update alfred.jobs set due_at = now(), first_due_at = first_due_at - interval '1 hour' where id = $1",
            [.uuid(id)])
        let second = try #require(try await claim(repository).first)
        #expect(second.lag >= .seconds(3600))
        #expect(abs(second.dueAt.timeIntervalSince(first.dueAt) + 3600) < 0.001)
    }

    @Test func aPromptJobOfADeadWorkerIsDueAtOnce() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let user = try await database.user()
        let prompt = try await database.enqueue(user, .testNotification)
        try await database.enqueue(user, .calendarScan)
        #expect(try await claim(repository, lease: .zero).count == 2)
        #expect(try await repository.reap(policy: policy) == JobReapResult(returned: 2, deadLettered: 0))
        let again = try await claim(repository)
        #expect(again.map(\.lease.job) == [prompt])
        #expect(again.first?.attempts == 1)
    }

    @Test func aDeadWorkersLastAttemptIsBuried() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let job = try await database.enqueue(database.user())
        try await database.sql("update alfred.jobs set attempts = 4")
        _ = try await claim(repository, lease: .zero)
        #expect(try await repository.reap(policy: policy) == JobReapResult(returned: 0, deadLettered: 1))
        #expect(try await database.state(job) == "FAILED")
        #expect(
            try await database.count("alfred.dead_letter_jobs where reason_code = 'LEASE_EXPIRED_MAX_ATTEMPTS'") == 1)
    }

    @Test func aPermanentFailureIsBuriedAtOnce() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        try await database.enqueue(database.user())
        try await database.enqueue(database.user(), .meetingReminder)
        let job = try #require(try await claim(repository, maximum: 1).first)
        #expect(try await repository.fail(job.lease, JobProblem(code: "JOB_TYPE_UNKNOWN", message: "unknown")))
        #expect(try await database.count("alfred.dead_letter_jobs where reason_code = 'JOB_TYPE_UNKNOWN'") == 1)
    }

    @Test func countsWhatWaitsRunsAndLiesDead() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let user = try await database.user()
        for _ in 0..<4 { try await database.enqueue(user) }
        try await database.enqueue(user, .meetingReminder, dueIn: 600)
        for _ in 0..<2 {
            let job = try #require(try await claim(repository, maximum: 1).first)
            #expect(try await repository.fail(job.lease, JobProblem(code: "X", message: "x")))
        }
        #expect(try await claim(repository, maximum: 1).count == 1)
        #expect(
            try await repository.backlog() == [
                JobBacklog(type: .calendarScan, pendingDue: 1, running: 1, deadLetters: 2)
            ])
    }

    @Test func anInsertIsIgnoredWhenItsKeyExists() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        try await database.enqueue(user, key: "k")
        let again = NewJob(id: UUID(), user: user, type: .calendarScan, idempotencyKey: "k")
        #expect(try await !JobRepository(database.pool).enqueue(again))
    }
}
