import Foundation
import Synchronization
import Testing

@testable import HostStorage
@testable import JobWorker

/// Counts how many jobs of each user run at once, over all workers.
final class CountingHandler: JobHandler {
    private struct State {
        var running: [UUID: Int] = [:]
        var most = 0
        var runs: [UUID: Int] = [:]
    }

    private let state = Mutex(State())
    let pause: Duration

    init(pause: Duration) { self.pause = pause }

    var mostOfOneUser: Int { state.withLock { $0.most } }
    var runs: [UUID: Int] { state.withLock { $0.runs } }

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        state.withLock { state in
            let count = state.running[job.lease.user, default: 0] + 1
            state.running[job.lease.user] = count
            state.most = max(state.most, count)
            state.runs[job.lease.job, default: 0] += 1
        }
        try? await Task.sleep(for: pause)
        state.withLock { $0.running[job.lease.user, default: 1] -= 1 }
        return .done(JobEffect(outcome: "no_notification"))
    }
}

@Suite(.serialized, .freshDatabase) struct ManyWorkersTests {
    private func enqueue(_ world: WorkerWorld, _ user: UUID, _ count: Int, ago seconds: Int = 0) async throws {
        try await world.database.sql(
            """
            insert into alfred.jobs (user_id, type, due_at, idempotency_key)
            select $1, 'CALENDAR_SCAN', now() - $3::int * interval '1 second', gen_random_uuid()::text
            from generate_series(1, $2::int)
            """, [.uuid(user), .int(count), .int(seconds)])
    }

    private func user(_ world: WorkerWorld) async throws -> UUID {
        let user = UUID()
        _ = try await UserRepository(world.database.pool).ensureActive(user)
        return user
    }

    @Test(arguments: [1, 3])
    func noNumberOfWorkersPassesTheLimitPerUser(_ limit: Int) async throws {
        let handler = CountingHandler(pause: .milliseconds(5))
        let world = try await WorkerWorld(
            ScriptedEnclave(events: []),
            settings: ["WORKER_PER_USER_CONCURRENCY_LIMIT": "\(limit)", "WORKER_BATCH_SIZE": "7"],
            handlers: [.calendarScan: handler])
        for _ in 0..<5 { try await enqueue(world, user(world), 60) }
        try await world.withWorker {
            try await world.withWorker {
                try await world.withWorker {
                    try await world.withWorker {
                        try await until(within: .seconds(60)) {
                            try await world.database.count("alfred.jobs where state = 'DONE'") == 300
                        }
                    }
                }
            }
        }
        #expect(handler.mostOfOneUser == limit)
        #expect(handler.runs.count == 300 && handler.runs.values.allSatisfy { $0 == 1 })
    }

    @Test func aFloodOfOneUserLeavesTheNextPlaceToAnother() async throws {
        let handler = CountingHandler(pause: .milliseconds(2))
        let world = try await WorkerWorld(
            ScriptedEnclave(events: []), settings: ["WORKER_MAX_CONCURRENCY": "4"],
            handlers: [.calendarScan: handler])
        let (flooder, quiet) = (try await user(world), try await user(world))
        try await enqueue(world, flooder, 5000, ago: 3600)
        try await world.withWorker {
            try await until { handler.runs.count > 10 }
            let before = handler.runs.count
            try await enqueue(world, quiet, 1)
            try await until {
                try await world.database.count("alfred.jobs where user_id = '\(quiet)' and state = 'DONE'") == 1
            }
            // Behind everything of the flooder by its due time, it started while a bounded number of those ran.
            #expect(handler.runs.count - before < 2500)
        }
    }

    @Test func aJobPastItsTimeLimitIsStoppedAndTriedAgain() async throws {
        let world = try await WorkerWorld(ScriptedEnclave(events: []))
        let running = RunningJobs(
            jobs: world.stores.jobs, lease: .seconds(60), timeLimit: .milliseconds(50),
            report: WorkerReport(log: world.silentLog, metrics: world.metrics))
        let lease = JobLease(job: UUID(), user: UUID(), token: 1, type: .calendarScan, requestID: nil)
        running.begin(lease, claimedAt: .now)
        let work = Task { () -> JobResult in
            try? await Task.sleep(for: .seconds(3600))
            return .skipped("never")
        }
        running.attach(work, to: lease.job)
        let keeping = Task { await running.keep() }
        _ = await work.value
        keeping.cancel()
        #expect(running.stop(of: lease.job) == .timeLimit)
    }
}
