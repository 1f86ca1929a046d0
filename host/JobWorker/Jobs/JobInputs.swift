import FoundationEssentials
import HostStorage

/// What every job about a calendar begins with.
struct JobInputs: Sendable {
    let preferences: Preferences
    /// At least one.
    let devices: [Device]
    /// ACTIVE, with the calendar scope.
    let connector: Connector

    /// Reads preferences, devices and connector; a job whose user lacks one of them is skipped.
    init(for lease: JobLease, from stores: WorkerStores) async throws(JobStop) {
        preferences = try await reading("PREFERENCES_READ_FAILED") { () throws(StorageError) in
            try await stores.preferences.getOrCreate(lease.user)
        }
        devices = try await reading("DEVICES_READ_FAILED") { () throws(StorageError) in
            try await stores.devices.enabledDevices(of: lease.user)
        }
        guard !devices.isEmpty else { throw JobStop(.skipped("no_registered_device")) }
        let connectors = try await reading("CONNECTORS_READ_FAILED") { () throws(StorageError) in
            try await stores.connectors.list(of: lease.user)
        }
        guard let connector = connectors.first(where: { $0.provider == .google && $0.status == .active }) else {
            throw JobStop(.skipped("connector_not_active"))
        }
        guard connector.hasCalendar else { throw JobStop(.skipped("calendar_not_granted")) }
        self.connector = connector
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
