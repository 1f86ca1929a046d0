import Foundation
import Testing

@testable import HostStorage

@Suite struct ListenerTests {
    @Test func hearsOfNewJobsWithTheirCommit() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let listener = Listener(PostgresConfiguration(url: database.url), channels: [.jobs, .users])
        let stream = listener.notifications()
        #expect(await eventually { listener.isListening })
        var notifications = stream.makeAsyncIterator()
        let jobs = JobRepository(database.pool)
        let started = ContinuousClock.now
        _ = try await jobs.enqueue(NewJob(id: UUID(), user: user, type: .calendarScan, idempotencyKey: "k"))
        while await notifications.next() != .jobs {}
        #expect(ContinuousClock.now - started < .seconds(5))
        try await database.sql("update alfred.users set status = 'DELETED' where id = $1", [.uuid(user)])
        while await notifications.next() != .users {}
    }

    @Test func reconnectsAndReportsEveryChannelOnce() async throws {
        let database = try await TestDatabase.make()
        let listener = Listener(PostgresConfiguration(url: database.url), channels: [.outbox])
        var notifications = listener.notifications().makeAsyncIterator()
        #expect(await notifications.next() == .outbox)
        try await database.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and query like 'listen%'",
            [.text(database.name)])
        #expect(await notifications.next() == .outbox)
    }

    @Test func staysSilentWhenSwitchedOffAndEndsOnShutdown() async throws {
        let listener = Listener(
            PostgresConfiguration(url: "postgres://127.0.0.1:1/x", listenURL: "off"), channels: [.jobs])
        let stream = listener.notifications()
        #expect(!listener.isListening)
        listener.shutdown()
        for await _ in stream { Issue.record("nothing was to be heard") }
    }
}
