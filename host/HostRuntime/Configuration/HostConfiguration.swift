import Foundation

/// Everything `api-server` is configured with.
public struct APIServerConfiguration: Sendable {
    public let general: GeneralConfiguration
    public let api: APIConfiguration
    public let storage: StorageConfiguration
    public let enclave: EnclaveConnectionConfiguration
    public let attestation: AttestationConfiguration
    public let cloud: CloudConfiguration
    /// Misspelt variables, for one warning at start.
    public let unknownVariables: [String]

    /// - Throws: every violation at once.
    public init(_ loaded: LoadedEnvironment) throws(ConfigurationError) {
        var reader = ConfigurationReader(loaded)
        general = GeneralConfiguration(reading: &reader)
        api = APIConfiguration(reading: &reader)
        storage = StorageConfiguration(reading: &reader)
        enclave = EnclaveConnectionConfiguration(reading: &reader)
        attestation = AttestationConfiguration(reading: &reader)
        cloud = CloudConfiguration(reading: &reader)
        unknownVariables = loaded.unknownVariables
        try reader.finish()
    }
}

/// Everything `worker` is configured with.
public struct WorkerServiceConfiguration: Sendable {
    public let general: GeneralConfiguration
    public let worker: WorkerConfiguration
    public let push: PushConfiguration
    public let storage: StorageConfiguration
    public let enclave: EnclaveConnectionConfiguration
    public let attestation: AttestationConfiguration
    public let cloud: CloudConfiguration
    /// Misspelt variables, for one warning at start.
    public let unknownVariables: [String]

    /// - Throws: every violation at once.
    public init(_ loaded: LoadedEnvironment) throws(ConfigurationError) {
        var reader = ConfigurationReader(loaded)
        general = GeneralConfiguration(reading: &reader)
        worker = WorkerConfiguration(reading: &reader)
        push = PushConfiguration(reading: &reader)
        storage = StorageConfiguration(reading: &reader)
        enclave = EnclaveConnectionConfiguration(reading: &reader)
        attestation = AttestationConfiguration(reading: &reader)
        cloud = CloudConfiguration(reading: &reader)
        unknownVariables = loaded.unknownVariables
        try reader.finish()
    }
}

/// What `alfredctl` is configured with; each part is read by the commands that need it.
public struct OperatorConfiguration: Sendable {
    private let loaded: LoadedEnvironment

    public init(_ loaded: LoadedEnvironment) {
        self.loaded = loaded
    }

    /// For commands that touch only Postgres, with the folder of `MIGRATIONS_DIR` if one is set.
    public func forDatabase() throws(ConfigurationError) -> (
        general: GeneralConfiguration, database: DatabaseConfiguration, migrationsDirectory: String?
    ) {
        var reader = ConfigurationReader(loaded)
        let general = GeneralConfiguration(reading: &reader)
        let database = DatabaseConfiguration(reading: &reader)
        let folder = reader.text("MIGRATIONS_DIR").map(reader.absolutePath)
        if let folder {
            var isDirectory: ObjCBool = false
            let exists = unsafe FileManager.default.fileExists(atPath: folder, isDirectory: &isDirectory)
            if !exists || !isDirectory.boolValue { reader.refuse("MIGRATIONS_DIR", "must be a directory") }
        }
        try reader.finish()
        return (general, database, folder)
    }

    /// For commands that talk to the enclave.
    public func forEnclave() throws(ConfigurationError) -> (
        general: GeneralConfiguration, enclave: EnclaveConnectionConfiguration, attestation: AttestationConfiguration
    ) {
        var reader = ConfigurationReader(loaded)
        let general = GeneralConfiguration(reading: &reader)
        let enclave = EnclaveConnectionConfiguration(reading: &reader)
        let attestation = AttestationConfiguration(reading: &reader)
        try reader.finish()
        return (general, enclave, attestation)
    }
}
