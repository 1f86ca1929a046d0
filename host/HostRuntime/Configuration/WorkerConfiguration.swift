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
    public let auditRetentionDays: Int
    public let schedules: ScheduleConfiguration
    public let privacyDelete: PrivacyDeleteConfiguration

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
        auditRetentionDays = reader.integer("AUDIT_RETENTION_DAYS")
        schedules = ScheduleConfiguration(reading: &reader)
        privacyDelete = PrivacyDeleteConfiguration(reading: &reader)
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

/// How delete requests are worked through.
public struct PrivacyDeleteConfiguration: Sendable {
    public let batchSize: Int
    public let lease: Duration
    public let revokeMaximumAttempts: Int
    /// Age at which an open request is overdue.
    public let overdueHours: Int

    public init(reading reader: inout ConfigurationReader) {
        batchSize = reader.integer("WORKER_PRIVACY_DELETE_BATCH_SIZE")
        lease = reader.seconds("WORKER_PRIVACY_DELETE_LEASE_SECONDS")
        revokeMaximumAttempts = reader.integer("WORKER_PRIVACY_DELETE_REVOKE_MAX_ATTEMPTS")
        overdueHours = reader.integer("PRIVACY_DELETE_SLA_HOURS")
    }
}
