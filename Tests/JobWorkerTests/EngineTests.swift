import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import Push
import Synchronization
import Testing

@testable import JobWorker

/// Leases, death, drain and retries, on a real database.
@Suite(.serialized, .freshDatabase) struct EngineTests {
    private let soon = Date().addingTimeInterval(14 * 60)

    private func reminding(push: RecordingPush = RecordingPush(), settings: [String: String] = [:]) async throws
        -> WorkerWorld
    {
        try await WorkerWorld(
            ScriptedEnclave(events: [ScriptedEnclave.event("e1", "Design review", start: soon)]), push: push,
            settings: settings)
    }

    /// Reads that do not return before their task is cancelled.
    private static func stuck(_ cancelled: Moment) -> ScriptedEnclave {
        ScriptedEnclave { _ throws(EnclaveCallError) in
            try? await Task.sleep(for: .seconds(3600))
            cancelled.happen()
            throw .cancelled
        }
    }

    // MARK: - Death of a worker

    @Test func losesAndDoublesNothingWhenAWorkerDiesWhileReading() async throws {
        let cancelled = Moment()
        let enclave = Self.stuck(cancelled)
        let world = try await WorkerWorld(enclave)
        _ = try await world.connectedUser()
        try await world.withWorkerThatDies {
            try await until { enclave.reads == 1 }
        }
        #expect(try await world.database.text("select state from alfred.jobs") == "RUNNING")
        let event = ScriptedEnclave.event("e1", "Design review", start: soon)
        enclave.follow { _ throws(EnclaveCallError) in ScriptedEnclave.page([event]) }
        try await world.withWorker {
            try await until {
                try await world.database.count("alfred.push_outbox where state = 'DELIVERED'") == 1
            }
        }
        #expect(world.push.shown.count == 1)
    }

    @Test func repeatsWithTheSameIDWhenAWorkerDiesAfterSending() async throws {
        let push = RecordingPush(hang)
        let world = try await reminding(push: push)
        _ = try await world.connectedUser()
        try await world.withWorkerThatDies {
            try await until { push.messages.count == 1 }
        }
        #expect(try await world.database.text("select state from alfred.push_outbox") == "SENDING")
        try await world.database.sql("update alfred.push_outbox set lease_expires_at = now()")
        push.follow { _ in .delivered }
        try await world.withWorker {
            try await until {
                try await world.database.count("alfred.push_outbox where state = 'DELIVERED'") == 1
            }
        }
        #expect(push.messages.count == 2 && push.shown.count == 1)
        #expect(try await world.database.count("alfred.push_outbox") == 1)
    }

    @Test func notifiesOnceThoughTheReminderRunsTwice() async throws {
        let world = try await reminding()
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { !world.push.messages.isEmpty }
            // As if the commit's answer had been lost and the job had come back.
            try await world.database.sql(
                "update alfred.jobs set state = 'PENDING', due_at = now(), finished_at = null, outcome = null where type = 'MEETING_REMINDER'"
            )
            try await world.database.sql("select pg_notify('alfred_jobs', '')")
            try await until {
                try await world.database.count(
                    "alfred.jobs where type = 'MEETING_REMINDER' and lease_token = 2 and state = 'DONE'") == 1
            }
        }
        #expect(world.push.shown.count == 1)
        #expect(try await world.database.count("alfred.push_outbox") == 1)
    }

    // MARK: - Leases

    @Test func writesNothingOnceTheLeaseIsLost() async throws {
        let cancelled = Moment()
        let enclave = Self.stuck(cancelled)
        let world = try await WorkerWorld(enclave)
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { enclave.reads == 1 }
            try await world.database.sql(
                "update alfred.jobs set lease_token = lease_token + 1, lease_owner = 'another', lease_expires_at = now() + interval '1 hour'"
            )
            try await until { cancelled.hasHappened }
        }
        #expect(
            try await world.database.text("select state || ' ' || lease_owner from alfred.jobs") == "RUNNING another")
        #expect(world.metrics.value(of: .leaseLost, [.queue: "jobs"]) == 1)
    }

    @Test func keepsALongJobsLease() async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave { _ throws(EnclaveCallError) in
                try? await Task.sleep(for: .seconds(5))
                return ScriptedEnclave.page([])
            })
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { try await world.database.text("select state from alfred.jobs") == "DONE" }
        }
        #expect(world.enclave.reads == 1)
    }

    // MARK: - Drain

    @Test func handsBackWhatTheDrainCutsOff() async throws {
        let enclave = Self.stuck(Moment())
        let world = try await WorkerWorld(enclave, settings: ["WORKER_DRAIN_TIMEOUT_SECONDS": "1"])
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { enclave.reads == 1 }
        }
        let row = try await world.database.text(
            "select concat_ws(' ', state, attempts, deferrals, last_error_code, lease_owner) from alfred.jobs")
        #expect(row == "PENDING 0 1 WORKER_DRAINED")
    }

    @Test func handsBackASendThatTheDrainCutsOff() async throws {
        let push = RecordingPush(hang)
        let world = try await reminding(push: push, settings: ["WORKER_DRAIN_TIMEOUT_SECONDS": "1"])
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { push.messages.count == 1 }
        }
        let row = try await world.database.text(
            "select concat_ws(' ', state, attempts, lease_owner) from alfred.push_outbox")
        #expect(row == "PENDING 0")
        push.follow { _ in .delivered }
        try await world.withWorker {
            try await until {
                try await world.database.count("alfred.push_outbox where state = 'DELIVERED'") == 1
            }
        }
        #expect(push.messages.count == 2 && push.shown.count == 1)
    }

    @Test func finishesShortWorkWhileItDrains() async throws {
        let enclave = ScriptedEnclave { _ throws(EnclaveCallError) in
            try? await Task.sleep(for: .seconds(1))
            return ScriptedEnclave.page([])
        }
        let world = try await WorkerWorld(enclave)
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { enclave.reads == 1 }
        }
        #expect(try await world.database.text("select state from alfred.jobs") == "DONE")
    }

    // MARK: - Wake-up

    @Test func isWokenByANotificationLongBeforeTheTick() async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave(events: []),
            settings: ["WORKER_LEASE_SECONDS": "600", "WORKER_TICK_SECONDS": "60", "SCHEDULES_ENABLED": "false"])
        let (user, _) = try await world.connectedUser()
        try await world.withWorker {
            // One job shows that the worker runs, the second one meets it asleep.
            for number in 1...2 {
                try await Task.sleep(for: .milliseconds(500))
                _ = try await world.stores.jobs.enqueue(
                    NewJob(id: UUID(), user: user, type: .calendarScan, idempotencyKey: "CALENDAR_SCAN:\(number)"))
                try await until(within: .seconds(5)) {
                    try await world.database.count("alfred.jobs where state = 'DONE'") == number
                }
            }
        }
        #expect(world.lines.withLock { $0.filter { $0.contains("job_finished") } }.count == 2)
    }

    @Test func findsAParkedJobLongBeforeTheTick() async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave(events: []),
            settings: ["WORKER_LEASE_SECONDS": "600", "WORKER_TICK_SECONDS": "60", "SCHEDULES_ENABLED": "false"])
        let (user, _) = try await world.connectedUser()
        let job = NewJob(
            id: UUID(), user: user, type: .calendarScan, idempotencyKey: "CALENDAR_SCAN:parked", dueAt: .now + 3600)
        try await world.withWorker {
            // Parked with nobody before it, as where the last of those before it ended at that moment.
            _ = try await world.stores.jobs.enqueue(job)
            try await world.database.sql("update alfred.jobs set ready = false, due_at = now()")
            try await until(within: .seconds(20)) {
                try await world.database.count("alfred.jobs where state = 'DONE'") == 1
            }
        }
    }

    // MARK: - Results

    @Test(arguments: [
        (EnclaveErrorCode.providerUnavailable, "PENDING 1 0 GOOGLE_CALENDAR_UNAVAILABLE"),
        (.keyPolicyMismatch, "PENDING 0 1 ENCLAVE_MISCONFIGURED"),
        (.sealedDataRejected, "FAILED 1 0 CONNECTOR_DECRYPT_NOT_AUTHORIZED"),
    ])
    func treatsAFailureByItsClass(code: EnclaveErrorCode, expected: String) async throws {
        let world = try await WorkerWorld(
            ScriptedEnclave { _ throws(EnclaveCallError) in throw .failed(EnclaveFailure(code)) },
            settings: ["WORKER_RETRY_BASE_DELAY_SECONDS": "600"])
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until {
                try await world.database.count("alfred.jobs where last_error_code is not null") == 1
            }
        }
        let row = try await world.database.text(
            "select concat_ws(' ', state, attempts, least(deferrals, 1), last_error_code) from alfred.jobs")
        #expect(row == expected)
        #expect(try await world.database.count("alfred.dead_letter_jobs") == (expected.hasPrefix("FAILED") ? 1 : 0))
    }

    @Test func claimsNothingWithoutTheEnclave() async throws {
        let world = try await reminding()
        world.enclave.setAvailable(false)
        _ = try await world.connectedUser()
        try await world.withWorker {
            try await until { try await world.database.count("alfred.jobs") == 1 }
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await world.database.text("select state from alfred.jobs") == "PENDING")
            world.enclave.setAvailable(true)
            try await until { !world.push.messages.isEmpty }
        }
    }

    @Test func skipsAJobPastItsEnd() async throws {
        let world = try await reminding()
        let (user, _) = try await world.connectedUser()
        let past = MeetingPayload(eventID: "old", title: "Old", start: Date().wholeSeconds - 10, end: nil)
        try await world.enqueueReminder(for: user, past)
        try await world.withWorker {
            try await until {
                try await world.database.count("alfred.jobs where outcome = 'skipped:expired'") == 1
            }
        }
        #expect(world.metrics.value(of: .jobsFinished, [.type: "MEETING_REMINDER", .result: "expired"]) == 1)
    }

    @Test func buriesAJobWhoseContentIsMissing() async throws {
        let world = try await reminding()
        let (user, _) = try await world.connectedUser()
        _ = try await world.stores.jobs.enqueue(
            NewJob(id: UUID(), user: user, type: .testNotification, idempotencyKey: "TEST_NOTIFICATION:1"))
        try await world.withWorker {
            try await until {
                try await world.database.text("select reason_code from alfred.dead_letter_jobs")
                    == "JOB_PAYLOAD_UNREADABLE"
            }
        }
    }

    @Test func copiesTheEnclavesCounters() async throws {
        let world = try await reminding()
        await EnclaveMetricsPull(enclave: world.enclave, metrics: world.metrics).pull()
        #expect(world.metrics.value(of: .enclaveRefreshes, [.resource: "", .result: "ok"]) == 7)
    }
}
