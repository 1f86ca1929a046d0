import FoundationEssentials
import HostStorage

/// What a job about a Google account needs to be allowed to read.
enum GoogleAccess { case calendar, mail }

/// What every job about a Google account begins with.
struct JobInputs: Sendable {
    let preferences: Preferences
    /// At least one.
    let devices: [Device]
    /// ACTIVE, with the scope that was asked for.
    let connector: Connector

    /// Reads preferences, devices and connector; a job whose user lacks one of them is skipped.
    init(
        for lease: JobLease, from stores: WorkerStores, needing access: GoogleAccess = .calendar
    ) async throws(JobStop) {
        preferences = try await reading("PREFERENCES_READ_FAILED") { () throws(StorageError) in
            try await stores.preferences.getOrCreate(lease.user)
        }
        devices = try await Self.devices(of: lease.user, stores)
        guard !devices.isEmpty else { throw JobStop(.skipped("no_registered_device")) }
        let connectors = try await reading("CONNECTORS_READ_FAILED") { () throws(StorageError) in
            try await stores.connectors.list(of: lease.user)
        }
        guard let connector = connectors.first(where: { $0.provider == .google && $0.status == .active }) else {
            throw JobStop(.skipped("connector_not_active"))
        }
        switch access {
        case .calendar:
            guard connector.hasCalendar else { throw JobStop(.skipped("calendar_not_granted")) }
        case .mail:
            guard connector.hasGmail else { throw JobStop(.skipped("mail_not_granted")) }
        }
        self.connector = connector
    }

    /// The user's enabled devices.
    static func devices(of user: UUID, _ stores: WorkerStores) async throws(JobStop) -> [Device] {
        try await reading("DEVICES_READ_FAILED") { () throws(StorageError) in
            try await stores.devices.enabledDevices(of: user)
        }
    }
}

/// Runs one read; its failure ends the job.
func reading<Value: Sendable>(
    _ code: String, _ read: () async throws(StorageError) -> Value
) async throws(JobStop) -> Value {
    do throws(StorageError) {
        return try await read()
    } catch {
        throw JobStop(error, code: code)
    }
}
