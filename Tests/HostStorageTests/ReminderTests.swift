import Foundation
import Testing

@testable import HostStorage

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

    @Test func aParkedReminderThatMovesEarlierIsInTheQueueAtOnce() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let user = try await database.user()
        for number in 1...12 {
            try await repository.upsertReminder(
                reminder(user, "\(number)", dueIn: Double(number) * 60, startsIn: 9000))
        }
        #expect(try await database.count("alfred.jobs where ready") == 8)
        try await repository.upsertReminder(reminder(user, "12", dueIn: -1, startsIn: 9000))
        try await repository.upsertReminder(reminder(user, "1", dueIn: 9000, startsIn: 9900))
        #expect(try await claim(repository).map(\.idempotencyKey) == ["12"])
    }

    @Test func deletesVanishedRemindersOfTheWindowOnly() async throws {
        let database = try await TestDatabase.make()
        let repository = JobRepository(database.pool)
        let (user, other) = (try await database.user(), try await database.user())
        for key in ["stays", "gone"] {
            try await repository.upsertReminder(reminder(user, key, dueIn: 60, startsIn: 600))
        }
        try await repository.upsertReminder(reminder(user, "beyond", dueIn: 60, startsIn: 6000))
        try await repository.upsertReminder(reminder(other, "gone", dueIn: 60, startsIn: 600))
        let (from, to) = (Date(), Date(timeIntervalSinceNow: 3600))
        #expect(
            try await repository.pendingReminders(of: user, from: from, to: to).map(\.key).sorted() == [
                "gone", "stays",
            ])
        let sweep = ReminderSweep(from: from, to: to, keep: ["stays"])
        #expect(try await repository.deleteVanishedReminders(of: user, sweep) == 1)
        #expect(try await database.count("alfred.jobs") == 3)
    }
}
