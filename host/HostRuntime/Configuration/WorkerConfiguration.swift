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
