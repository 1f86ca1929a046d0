import Foundation
import Testing

@testable import HostStorage

private let policy = RetryPolicy(base: .seconds(30), maximum: .seconds(1800))

private func claim(
    _ repository: JobRepository, maximum: Int = 100, background: Int? = nil, perUser: Int = 1, lease: Duration = .seconds(60)
) async throws -> [ClaimedJob] {
    try await repository.claim(
        JobClaim(
            owner: "test", maximum: maximum, maximumBackground: background ?? maximum, perUserLimit: perUser, lease: lease))
}

extension TestDatabase {
    @discardableResult
    fileprivate func enqueue(
        _ user: UUID, _ type: JobType = .calendarScan, key: String = UUID().uuidString, dueIn seconds: Double? = nil,
        expiresIn expiry: Double? = nil
    ) async throws -> UUID {
        let id = UUID()
        let job = NewJob(
            id: id, user: user, type: type, idempotencyKey: key, dueAt: seconds.map { Date(timeIntervalSinceNow: $0) },
            expiresAt: expiry.map { Date(timeIntervalSinceNow: $0) }, requestID: "r-1")
        #expect(try await JobRepository(pool).enqueue(job))
        return id
    }

    fileprivate func state(_ job: UUID) async throws -> String {
        try await sql("select state from alfred.jobs where id = $1", [.uuid(job)]).required().text(0)
    }
}

@Suite struct JobClaimTests {
    @Test func neverGivesAJobToTwoClaimers() async throws {
        let database = try await TestDatabase.make()
        for _ in 0..<60 {
            let user = try await database.user()
            for _ in 0..<3 { try await database.enqueue(user) }
        }
        let pools = try [database.pool, database.anotherPool(), database.anotherPool()]
        let claimed = try await withThrowingTaskGroup(of: [ClaimedJob].self) { group in
            for number in 0..<12 {
                let repository = JobRepository(pools[number % pools.count])
                group.addTask {
                    var mine: [ClaimedJob] = []
                    for _ in 0..<20 { mine += try await claim(repository, maximum: 7, perUser: 3) }
                    return mine
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(claimed.count == 180)
        #expect(Set(claimed.map(\.lease.job)).count == 180)
        #expect(claimed.allSatisfy { $0.lease.token == 1 })
    }

    @Test func doesNotClaimFromAnOldSnapshot() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let job = try await database.enqueue(user)
        // A claimer whose snapshot is older than another's claim: repeatable read holds the snapshot for it.
        let other = JobRepository(try database.anotherPool())
        await #expect(throws: StorageError.conflict) {
            try await database.pool.withTransaction { tx throws(StorageError) in
                try await tx.query(.write("set transaction isolation level repeatable read"))
                try await tx.query(.read("select count(*) from alfred.jobs"))
                do {
                    #expect(try await claim(other).map(\.lease.job) == [job])
                } catch {
                    throw StorageError.unavailable
                }
                try await tx.query(
                    JobRepository.claimDue,
                    [.text("late"), .int(5), .int(5), .int(1), .double(60), .int(400)])
            }
        }
        #expect(try await claim(other).isEmpty)
        #expect(try await database.count("alfred.jobs where lease_token = 1 and lease_owner = 'test'") == 1)
    }

    @Test func holdsTheLimitPerUserAndLane() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let user = try await database.user()
        for _ in 0..<5 {
            try await database.enqueue(user)
            try await database.enqueue(user, .meetingReminder)
        }
        let first = try await claim(repository)
        #expect(first.count == 2)
        #expect(Set(first.map(\.lease.type)) == [.calendarScan, .meetingReminder])
        #expect(try await claim(repository).isEmpty)
        #expect(try await claim(repository, perUser: 3).count == 4)
        #expect(try await repository.finish(first[0].lease, JobEffect(outcome: "no_notification")))
        #expect(try await claim(repository, perUser: 3).count == 1)
    }

    @Test func theIndexRefusesASecondRunningJobInASlot() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        try await database.enqueue(user)
        try await database.enqueue(user)
        #expect(try await claim(JobRepository(database.pool)).count == 1)
        await #expect(throws: StorageError.unique(constraint: "jobs_running_slot")) {
            try await database.sql(
                """
                update alfred.jobs set state = 'RUNNING', user_slot = 0, lease_owner = 'x', lease_expires_at = now()
                where state = 'PENDING'
                """)
        }
    }

    @Test func concurrentClaimersNeverExceedTheLimit() async throws {
        let database = try await TestDatabase.make()
        let users = try await [database.user(), database.user()]
        for user in users { for _ in 0..<40 { try await database.enqueue(user) } }
        let repository = JobRepository(database.pool)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<20 {
                        for job in try await claim(repository, maximum: 3, perUser: 2) {
                            let running = try await database.count(
                                "alfred.jobs where user_id = $1 and state = 'RUNNING'", [.uuid(job.lease.user)])
                            #expect(running <= 2)
                            #expect(try await repository.finish(job.lease, JobEffect(outcome: "no_notification")))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await database.count("alfred.jobs where state = 'DONE' and lease_token = 1") == 80)
    }

    @Test func findsOtherUsersBehindAFlood() async throws {
        let database = try await TestDatabase.make()
        let (flooder, quiet) = (try await database.user(), try await database.user())
        try await database.sql(
            """
            insert into alfred.jobs (user_id, type, due_at, idempotency_key)
            select $1, 'CALENDAR_SCAN', now() - interval '1 hour', n::text from generate_series(1, 5000) n
            """, [.uuid(flooder)])
        try await database.enqueue(quiet)
        let users = Set(try await claim(JobRepository(database.pool)).map(\.lease.user))
        #expect(users == [flooder, quiet])
    }

    @Test func takesTheEarliestFirstAndKeepsPlacesForPromptJobs() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        for offset in 0..<4 { try await database.enqueue(database.user(), key: "\(offset)", dueIn: nil) }
        let reminder = try await database.enqueue(database.user(), .meetingReminder)
        let claimed = try await claim(repository, maximum: 3, background: 1)
        #expect(claimed.count == 2)
        #expect(claimed.contains { $0.lease.job == reminder })
        #expect(claimed.first { $0.lease.type == .calendarScan }?.idempotencyKey == "0")
        #expect(try await claim(repository, maximum: 3, background: 0).isEmpty)
    }

    @Test func passesOverFrozenAndDeletedUsersAndWhatIsNotDue() async throws {
        let database = try await TestDatabase.make()
        let (frozen, deleted, early) = (try await database.user(), try await database.user(), try await database.user())
        for user in [frozen, deleted] { try await database.enqueue(user) }
        try await database.enqueue(early, dueIn: 60)
        try await database.sql("update alfred.users set frozen_at = now() where id = $1", [.uuid(frozen)])
        try await database.sql("update alfred.users set status = 'DELETED' where id = $1", [.uuid(deleted)])
        let repository = JobRepository(database.pool)
        #expect(try await claim(repository).isEmpty)
        #expect(try await repository.timeUntilNextDue() == .zero)
    }

    @Test func marksWhatExpiredBeforeItWasClaimed() async throws {
        let database = try await TestDatabase.make()
        try await database.enqueue(database.user(), expiresIn: -1)
        try await database.enqueue(database.user(), expiresIn: 100)
        #expect(try await claim(JobRepository(database.pool)).filter(\.isExpired).count == 1)
    }
}

@Suite struct JobResultTests {
    @Test func aLostLeaseWritesNothing() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let (user, device) = (try await database.user(), UUID())
        _ = device
        let phone = try await database.register(user, "phone")
        let job = try await database.enqueue(user)
        let first = try #require(try await claim(repository, lease: .zero).first)
        #expect(try await repository.reap(policy: RetryPolicy(base: .zero, maximum: .zero)) == JobReapResult(returned: 1, deadLettered: 0))
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
                audits: [.jobActionGenerated(job: lease.audit, action: AuditAction(source: "calendar", leadMinutes: 15))])
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
            let outcome = try await repository.retry(claimed.lease, JobProblem(code: "TEMPORARY", message: "later"), policy: policy)
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
            job.lease, problem, policy: RetryPolicy(base: .seconds(1), maximum: .seconds(100)), retryAfter: .seconds(5000))
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

    @Test func aDeadWorkersLastAttemptIsBuried() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let job = try await database.enqueue(database.user())
        try await database.sql("update alfred.jobs set attempts = 4")
        _ = try await claim(repository, lease: .zero)
        #expect(try await repository.reap(policy: policy) == JobReapResult(returned: 0, deadLettered: 1))
        #expect(try await database.state(job) == "FAILED")
        #expect(try await database.count("alfred.dead_letter_jobs where reason_code = 'LEASE_EXPIRED_MAX_ATTEMPTS'") == 1)
    }

    @Test func aPermanentFailureIsBuriedAtOnce() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        try await database.enqueue(database.user())
        let job = try #require(try await claim(repository).first)
        #expect(try await repository.fail(job.lease, JobProblem(code: "JOB_TYPE_UNKNOWN", message: "unknown")))
        #expect(try await database.count("alfred.dead_letter_jobs where reason_code = 'JOB_TYPE_UNKNOWN'") == 1)
    }

    @Test func anInsertIsIgnoredWhenItsKeyExists() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        try await database.enqueue(user, key: "k")
        let again = NewJob(id: UUID(), user: user, type: .calendarScan, idempotencyKey: "k")
        #expect(try await !JobRepository(database.pool).enqueue(again))
    }
}

@Suite struct ReminderTests {
    private func reminder(_ user: UUID, _ key: String, dueIn due: Double, startsIn start: Double) -> NewJob {
        NewJob(
            id: UUID(), user: user, type: .meetingReminder, idempotencyKey: key, dueAt: Date(timeIntervalSinceNow: due),
            expiresAt: Date(timeIntervalSinceNow: start), sealedPayload: [1], sealedKeyVersion: 1)
    }

    @Test func movesAPendingReminderAndLeavesAFinishedOne() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let user = try await database.user()
        try await repository.upsertReminder(reminder(user, "k", dueIn: 600, startsIn: 1500))
        let before = try #require(try await repository.timeUntilNextDue())
        try await repository.upsertReminder(reminder(user, "k", dueIn: 300, startsIn: 1500))
        let after = try #require(try await repository.timeUntilNextDue())
        #expect(before > .seconds(500) && after < .seconds(301))
        try await repository.upsertReminder(reminder(user, "k", dueIn: -100, startsIn: 1500))
        let job = try #require(try await claim(repository).first)
        #expect(try await repository.finish(job.lease, JobEffect(outcome: "notified")))
        try await repository.upsertReminder(reminder(user, "k", dueIn: 60, startsIn: 1500))
        #expect(try await database.count("alfred.jobs") == 1)
        #expect(try await repository.timeUntilNextDue() == nil)
    }

    @Test func deletesVanishedRemindersOfTheWindowOnly() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let (user, other) = (try await database.user(), try await database.user())
        for key in ["stays", "gone"] { try await repository.upsertReminder(reminder(user, key, dueIn: 60, startsIn: 600)) }
        try await repository.upsertReminder(reminder(user, "beyond", dueIn: 60, startsIn: 6000))
        try await repository.upsertReminder(reminder(other, "gone", dueIn: 60, startsIn: 600))
        let (from, to) = (Date(), Date(timeIntervalSinceNow: 3600))
        #expect(try await repository.pendingReminders(of: user, from: from, to: to).map(\.key).sorted() == ["gone", "stays"])
        let sweep = ReminderSweep(from: from, to: to, keep: ["stays"])
        #expect(try await repository.deleteVanishedReminders(of: user, sweep) == 1)
        #expect(try await database.count("alfred.jobs") == 3)
    }
}
