import Foundation
import Testing

@testable import HostStorage

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
                    let isEmpty = try await eventually(within: .seconds(60)) {
                        mine += try await claim(repository, maximum: 7, perUser: 3)
                        return try await database.count("alfred.jobs where state = 'PENDING'") == 0
                    }
                    #expect(isEmpty)
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
                    [.text("late"), .int(5), .int(5), .int(1), .double(60), .int(8), .int(8)])
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
                    let isEmpty = try await eventually(within: .seconds(60)) {
                        for job in try await claim(repository, maximum: 3, perUser: 2) {
                            let running = try await database.count(
                                "alfred.jobs where user_id = $1 and state = 'RUNNING'", [.uuid(job.lease.user)])
                            #expect(running <= 2)
                            #expect(try await repository.finish(job.lease, JobEffect(outcome: "no_notification")))
                        }
                        return try await database.count("alfred.jobs where state = 'PENDING'") == 0
                    }
                    #expect(isEmpty)
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
