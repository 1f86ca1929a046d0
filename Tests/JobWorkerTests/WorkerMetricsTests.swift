import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import Testing

@testable import HostStorage
@testable import JobWorker

/// What a worker shows of its queue, its runs and its pushes.
@Suite(.serialized, .freshDatabase) struct WorkerMetricsTests {
    @Test func tellsOfDepthLagTriesOutcomesPushesAndDrift() async throws {
        let soon = Date().addingTimeInterval(14 * 60)
        let world = try await WorkerWorld(
            ScriptedEnclave(events: [ScriptedEnclave.event("e1", "Design review", start: soon)]),
            settings: ["WORKER_TICK_SECONDS": "1"])
        let (user, _) = try await world.connectedUser()
        try await world.enqueueTest(for: user, title: "Hello", body: "It works.")
        // Content that nobody can open, and a type that nothing runs.
        _ = try await world.stores.jobs.enqueue(
            NewJob(
                id: UUID(), user: user, type: .testNotification, idempotencyKey: "broken", sealedPayload: [1, 2, 3],
                sealedKeyVersion: 1))
        try await world.withWorker {
            try await until { world.metrics.value(of: .deadLetters, [.type: "TEST_NOTIFICATION"]) == 1 }
            try await until { world.push.shown.count == 2 }
            try await until { world.metrics.value(of: .jobsFinished, [.type: "CALENDAR_SCAN", .result: "done"]) == 1 }
            try await until {
                JobType.allCases.allSatisfy { world.metrics.value(of: .jobsPendingDue, [.type: $0.rawValue]) == 0 }
                    && world.metrics.value(of: .schedulesOverdue, [.type: "CALENDAR_SCAN"]) == 0
            }
        }
        let metrics = world.metrics
        #expect(metrics.value(of: .jobsFinished, [.type: "TEST_NOTIFICATION", .result: "done"]) == 1)
        #expect(metrics.value(of: .jobsFinished, [.type: "TEST_NOTIFICATION", .result: "dead_letter"]) == 1)
        #expect(metrics.value(of: .jobsFinished, [.type: "MEETING_REMINDER", .result: "done"]) == 1)
        #expect(metrics.value(of: .pushes, [.kind: "test", .outcome: "delivered"]) == 1)
        for type in JobType.allCases { #expect(metrics.value(of: .jobsRunning, [.type: type.rawValue]) ?? 0 == 0) }
        let page = metrics.exposition()
        for line in [
            "alfred_job_lag_seconds_count{type=\"CALENDAR_SCAN\"} 1",
            "alfred_job_seconds_count{type=\"CALENDAR_SCAN\"} 1",
            "alfred_schedule_drift_seconds_count{type=\"CALENDAR_SCAN\"} 1",
            "alfred_push_seconds_count{kind=\"meeting_reminder\",outcome=\"delivered\"} 1",
            "alfred_reminder_delay_seconds_count{kind=\"meeting_reminder\",outcome=\"delivered\"} 1",
            "alfred_schedules_overdue{type=\"CALENDAR_SCAN\"} 0",
        ] {
            #expect(page.contains(line), "\(line)")
        }
        #expect(!page.contains(user.uuidString.lowercased()))
    }

    /// What waits and cannot be run now is seen as depth.
    @Test func tellsHowManyWait() async throws {
        let world = try await WorkerWorld(ScriptedEnclave(events: []), settings: ["WORKER_TICK_SECONDS": "1"])
        let (user, _) = try await world.connectedUser()
        world.enclave.setAvailable(false)
        for _ in 0..<3 { try await world.enqueueTest(for: user, title: "Hello", body: "It works.") }
        try await world.withWorker {
            try await until { world.metrics.value(of: .jobsPendingDue, [.type: "TEST_NOTIFICATION"]) == 3 }
        }
    }
}
