import EnclaveProtocol
import HostRuntime
import HostStorage

/// Audits what has no transaction of its own, because its effect was outside the database.
struct AuditTrail: Sendable {
    static let tries = 3

    let audit: AuditRepository
    let metrics: MetricsRegistry

    /// Never turns what was done into an error: what cannot be written is logged and counted.
    func write(_ event: AuditEvent, for user: UserID, _ call: APICall) async {
        for _ in 0..<Self.tries {
            do throws(StorageError) {
                return try await audit.append(event, for: user.uuid)
            } catch {
                guard error != .userDeleted else { return }
            }
        }
        metrics.increment(.auditWriteFailed)
        call.log.event("audit_write_failed", .error, [LogField(.type, event.type)])
    }
}
