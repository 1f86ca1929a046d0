import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import LocalStack
import Testing

/// An API host inside the test: the product's own client with the system's key, database and enclave.
struct InProcessHost {
    let client: EnclaveClient
    let user: UserID
    let connector: ConnectorID

    /// Lends a host whose sessions are kept while `body` runs, acting for the one connector that the system has.
    static func with<Answer: Sendable>(
        _ stack: LocalStack, _ body: @escaping @Sendable (InProcessHost) async throws -> Answer
    ) async throws -> Answer {
        let environment = try #require(await stack.environment)
        let loaded = EnvironmentSource.load(
            process: .api, environment: environment.variables(for: .api), directory: stack.settings.state.path)
        let configuration = try APIServerConfiguration(loaded)
        let pool = PostgresPool(
            PostgresConfiguration(
                url: environment.ownerDatabaseURL, maximumConnections: 8, connectTimeout: .seconds(5),
                statementTimeout: .seconds(10), usePreparedStatements: true, listenURL: "off"))
        let client = try EnclaveClient(
            configuration.enclave, configuration.attestation, role: .api, repository: SealedRecordRepository(pool),
            metrics: MetricsRegistry(), log: HostLog(process: .tests, sink: LogSink { _ in }))
        let row = try Tool.psql("select user_id, id from alfred.connectors", environment).split(separator: "|")
        let host = InProcessHost(
            client: client, user: UserID(try #require(UUID(uuidString: String(row[0])))),
            connector: ConnectorID(try #require(UUID(uuidString: String(row[1])))))
        defer { pool.shutdown() }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            defer { group.cancelAll() }
            return try await body(host)
        }
    }

    /// Status of one read of the calendar.
    func readCalendar(within limit: Duration = .seconds(20)) async throws -> UInt16 {
        let answer = try await client.getGoogle(
            user: user, connector: connector,
            resource: .calendarEvents(
                timeMin: "2026-11-25T08:00:00Z", timeMax: "2026-11-25T09:00:00Z", maxResults: 10, pageToken: nil),
            context: CallContext(requestID: "test-\(UUID().lowercased)", deadline: limit))
        return answer.status
    }
}
