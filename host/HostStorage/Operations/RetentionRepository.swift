/// Deletes what has been kept long enough, a bounded number of rows per statement.
public struct RetentionRepository: Sendable {
    /// Most rows of one statement.
    public static let batch = 1000
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// What is deleted by its age.
    public enum Kind: String, Sendable, CaseIterable {
        case doneJobs = "done_jobs"
        case failedJobs = "failed_jobs"
        case deadLetters = "dead_letters"
        case outbox
        case oauthStates = "oauth_states"
        case emailSeen = "email_seen"
        case assistantSessions = "assistant_sessions"
        case idempotentAnswers = "idempotent_answers"
        case auditEvents = "audit_events"

        fileprivate var statement: Statement {
            switch self {
            case .doneJobs: .old("jobs", "state = 'DONE' and finished_at < now() - interval '7 days'", "finished_at")
            case .failedJobs:
                .old("jobs", "state = 'FAILED' and finished_at < now() - interval '30 days'", "finished_at")
            case .deadLetters: .old("dead_letter_jobs", "failed_at < now() - interval '30 days'", "failed_at")
            case .outbox: .old("push_outbox", "finished_at < now() - interval '7 days'", "finished_at")
            case .oauthStates: .old("oauth_states", "expires_at < now() - interval '1 day'", "expires_at")
            case .emailSeen: .old("email_seen", "seen_at < now() - interval '8 days'", "seen_at")
            case .assistantSessions: .old("assistant_sessions", "expires_at < now()", "expires_at")
            case .idempotentAnswers: .old("idempotent_answers", "expires_at < now()", "expires_at")
            case .auditEvents:
                .old("audit_events", "created_at < now() - make_interval(days => $2::int)", "created_at")
            }
        }
    }

    /// Deletes at most one batch of a kind; returns how many. Fewer than the batch means that nothing old is left.
    public func delete(_ kind: Kind, auditDays: Int) async throws(StorageError) -> Int {
        let days: [SQLValue] = kind == .auditEvents ? [.int(auditDays)] : []
        return try await pool.query(kind.statement, [.int(Self.batch)] + days).affected
    }
}

extension Statement {
    fileprivate static func old(_ table: String, _ condition: String, _ order: String) -> Statement {
        .write(
            """
            delete from alfred.\(table) where id in (
                select id from alfred.\(table) where \(condition) order by \(order) limit $1)
            """)
    }
}
