public import FoundationEssentials

/// A request to erase a user, leased by one worker. Every write about it carries the lease's token.
public struct PrivacyLease: Sendable, Equatable {
    public let request: UUID
    public let user: UUID
    public let token: Int64
    /// Tries that failed before this one.
    public let attempts: Int
    /// Tries of revocation among them that failed.
    public let revokeAttempts: Int
}

/// A record that was left unrevoked, as it was read.
public struct UnrevokedConnector: Sendable, Equatable {
    public let connector: UUID
    public let recordVersion: Int64
    /// Why, as a code.
    public let reason: String

    public init(connector: UUID, recordVersion: Int64, reason: String) {
        self.connector = connector
        self.recordVersion = recordVersion
        self.reason = reason
    }
}

/// How freezing a user ended.
public enum PrivacyFreeze: Sendable {
    case frozen
    /// An earlier try erased the user; what follows the purge is left to do.
    case erased
    case leaseLost
}

/// How the purge ended.
public enum PrivacyPurge: Sendable {
    case purged
    /// A connector is there that was neither revoked nor given up.
    case connectorLeft
    case leaseLost
}

/// How many requests wait.
public struct PrivacyBacklog: Sendable, Equatable {
    public let open: Int
    public let overdue: Int
    /// Age of the oldest open one.
    public let oldest: Duration
    /// Grants of erased users that are not revoked yet.
    public let pendingRevocations: Int
}

/// The tables that hold something of a user.
public enum ErasedTables {
    /// Erased by a purge, in this order.
    public static let erased = [
        "push_outbox", "jobs", "dead_letter_jobs", "schedules", "email_seen", "assistant_sessions",
        "idempotent_answers", "oauth_states", "devices", "connectors", "user_preferences", "audit_events",
    ]
    /// Grow with use: emptied in small statements before the transaction of the purge.
    static let large = ["push_outbox", "jobs", "dead_letter_jobs", "email_seen", "audit_events"]
    /// What waits in them goes as soon as the user is frozen.
    static let queues = ["push_outbox", "jobs"]
    /// Stay: the request and what is left to be revoked.
    public static let kept = ["privacy_delete_requests", "pending_revocations"]
}
