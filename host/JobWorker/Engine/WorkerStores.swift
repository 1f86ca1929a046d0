import HostRuntime
public import HostStorage

/// The repositories that the worker uses.
public struct WorkerStores: Sendable {
    public let jobs: JobRepository
    public let outbox: OutboxRepository
    public let schedules: ScheduleRepository
    public let connectors: ConnectorRepository
    public let preferences: PreferencesRepository
    public let devices: DeviceRepository

    public init(_ pool: PostgresPool) {
        jobs = JobRepository(pool)
        outbox = OutboxRepository(pool)
        schedules = ScheduleRepository(pool)
        connectors = ConnectorRepository(pool)
        preferences = PreferencesRepository(pool)
        devices = DeviceRepository(pool)
    }
}

extension ScheduleRhythm {
    init(_ configuration: ScheduleConfiguration) {
        self.init(
            calendarScan: configuration.calendarScanInterval, urgentEmail: configuration.urgentEmailInterval,
            briefCatchUp: configuration.briefCatchUp)
    }
}
