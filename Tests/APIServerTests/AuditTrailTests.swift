import EnclaveProtocol
import Foundation
import HostRuntime
@testable import HostStorage
import Testing

@testable import APIServer

@Suite struct AuditTrailTests {
    private func call(_ lines: LineBuffer) -> APICall {
        APICall(
            requestID: .new(), trace: .new(), log: lines.log(), parameters: [:], query: nil, body: .none,
            idempotencyKey: nil)
    }

    @Test func whatCannotBeWrittenIsCountedAndToldAndHarmsNothing() async throws {
        let away = PostgresPool(
            PostgresConfiguration(
                url: "postgres://127.0.0.1:1/none", connectTimeout: .milliseconds(200), statementTimeout: .seconds(1)))
        defer { away.shutdown() }
        let (metrics, lines) = (MetricsRegistry(), LineBuffer())
        let trail = AuditTrail(audit: AuditRepository(away), metrics: metrics)
        await trail.write(.testNotificationQueued(job: UUID()), for: UserID(UUID()), call(lines))
        #expect(metrics.value(of: .auditWriteFailed) == 1)
        #expect(lines.lines.contains { $0.contains("audit_write_failed") && $0.contains("TEST_NOTIFICATION_QUEUED") })
    }

    @Test func nothingIsMissedForADeletedUser() async throws {
        let stores = try await TestStores.shared.value
        let user = UUID()
        _ = try await UserRepository(stores.pool).ensureActive(user)
        _ = try await stores.pool.query(
            .write("update alfred.users set status = 'DELETED', deleted_at = now() where id = $1"), [.uuid(user)])
        let (metrics, lines) = (MetricsRegistry(), LineBuffer())
        let trail = AuditTrail(audit: AuditRepository(stores.pool), metrics: metrics)
        await trail.write(.testNotificationQueued(job: UUID()), for: UserID(user), call(lines))
        #expect(metrics.value(of: .auditWriteFailed) == nil && lines.lines.isEmpty)
    }
}
