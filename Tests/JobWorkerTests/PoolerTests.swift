import Foundation
import HostRuntime
import Testing

@testable import HostStorage
@testable import JobWorker

/// The engine behind a pooler that gives each transaction any connection: unnamed statements, no settings of a session.
@Suite(.serialized, .freshDatabase) struct PoolerTests {
    private func pool(_ url: String, named: Bool) -> PostgresPool {
        PostgresPool(PostgresConfiguration(url: url, maximumConnections: 8, usePreparedStatements: named))
    }

    private func waitUntilItAnswers(_ pool: PostgresPool) async throws {
        try await until { (try? await pool.query(.read("select 1"))) != nil }
    }

    @Test func schedulesClaimsLeasesAndEffectsWorkBehindATransactionPooler() async throws {
        let bouncer = try Pgbouncer(before: #require(WorkerDatabase.current).url)
        let pool = pool(bouncer.url, named: false)
        defer { pool.shutdown() }
        try await waitUntilItAnswers(pool)
        let soon = Date().addingTimeInterval(14 * 60)
        let handler = CountingHandler(pause: .milliseconds(5))
        let world = try await WorkerWorld(
            ScriptedEnclave(events: [ScriptedEnclave.event("e1", "Design review", start: soon)]),
            handlers: [.morningBrief: handler], pool: pool)
        let (user, _) = try await world.connectedUser(devices: 2)
        try await world.withWorker {
            try await world.withWorker {
                try await until { world.push.shown.count == 2 }
                try await world.database.sql(
                    """
                    insert into alfred.jobs (user_id, type, due_at, idempotency_key)
                    select $1, 'MORNING_BRIEF', now(), n::text from generate_series(1, 50) n
                    """, [.uuid(user)])
                try await until(within: .seconds(30)) {
                    try await world.database.count("alfred.jobs where type = 'MORNING_BRIEF' and state = 'DONE'") == 50
                }
            }
        }
        #expect(handler.mostOfOneUser == 1)
        #expect(handler.runs.values.allSatisfy { $0 == 1 } && handler.runs.count == 50)
        #expect(try await world.database.count("alfred.push_outbox where state = 'DELIVERED'") == 2)
        withExtendedLifetime(bouncer) {}
    }
}
