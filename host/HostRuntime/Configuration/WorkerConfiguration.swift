/// What the worker alone reads.
public struct WorkerConfiguration: Sendable {
    /// Polling fallback.
    public let tick: Duration
    /// Most jobs per claim.
    public let batchSize: Int
    public let maximumConcurrency: Int
    /// Job lease; a heartbeat every third of it.
    public let lease: Duration
    /// Running jobs per user and lane in the whole fleet.
    public let perUserConcurrency: Int
    public let retryBaseDelay: Duration
    /// At least `retryBaseDelay`.
    public let retryMaximumDelay: Duration
    public let drainTimeout: Duration
    public let schedules: ScheduleConfiguration
    /// Age at which audit events are deleted.
    public let auditRetentionDays: Int
    public let privacy: PrivacyConfiguration

    public init(reading reader: inout ConfigurationReader) {
        tick = reader.seconds("WORKER_TICK_SECONDS")
        batchSize = reader.integer("WORKER_BATCH_SIZE")
        maximumConcurrency = reader.integer("WORKER_MAX_CONCURRENCY")
        lease = reader.seconds("WORKER_LEASE_SECONDS")
        perUserConcurrency = reader.integer("WORKER_PER_USER_CONCURRENCY_LIMIT")
        retryBaseDelay = reader.seconds("WORKER_RETRY_BASE_DELAY_SECONDS")
        retryMaximumDelay = reader.seconds("WORKER_RETRY_MAX_DELAY_SECONDS")
        if retryMaximumDelay < retryBaseDelay {
            reader.refuse("WORKER_RETRY_MAX_DELAY_SECONDS", "must be at least WORKER_RETRY_BASE_DELAY_SECONDS")
        }
        drainTimeout = reader.seconds("WORKER_DRAIN_TIMEOUT_SECONDS")
        schedules = ScheduleConfiguration(reading: &reader)
        auditRetentionDays = reader.integer("AUDIT_RETENTION_DAYS")
        privacy = PrivacyConfiguration(reading: &reader)
    }
}

/// How users are erased.
public struct PrivacyConfiguration: Sendable {
    /// Most requests per claim.
    public let batchSize: Int
    /// A heartbeat every third of it.
    public let lease: Duration
    /// Tries of revocation before the data is erased without it.
    public let maximumRevocations: Int
    /// Age at which an open request is overdue.
    public let slaHours: Int

    public init(reading reader: inout ConfigurationReader) {
        batchSize = reader.integer("WORKER_PRIVACY_DELETE_BATCH_SIZE")
        lease = reader.seconds("WORKER_PRIVACY_DELETE_LEASE_SECONDS")
        maximumRevocations = reader.integer("WORKER_PRIVACY_DELETE_REVOKE_MAX_ATTEMPTS")
        slaHours = reader.integer("PRIVACY_DELETE_SLA_HOURS")
    }
}

/// When recurring work runs.
public struct ScheduleConfiguration: Sendable {
    public let isEnabled: Bool
    public let calendarScanInterval: Duration
    public let urgentEmailInterval: Duration
    /// How late a missed morning brief may still be sent.
    public let briefCatchUp: Duration

    public init(reading reader: inout ConfigurationReader) {
        isEnabled = reader.boolean("SCHEDULES_ENABLED")
        calendarScanInterval = reader.seconds("SCHEDULE_CALENDAR_SCAN_SECONDS")
        urgentEmailInterval = reader.seconds("SCHEDULE_URGENT_EMAIL_SECONDS")
        briefCatchUp = reader.seconds("SCHEDULE_BRIEF_CATCH_UP_SECONDS")
    }
}
