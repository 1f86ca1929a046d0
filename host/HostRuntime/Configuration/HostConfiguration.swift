/// Everything `api-server` is configured with.
public struct APIServerConfiguration: Sendable {
    public let general: GeneralConfiguration
    public let api: APIConfiguration
    public let storage: StorageConfiguration
    public let enclave: EnclaveConnectionConfiguration
    public let attestation: AttestationConfiguration
    public let keyAccess: KeyAccessConfiguration
    public let llm: LLMConfiguration
    public let reliability: LLMReliabilityConfiguration
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
        keyAccess = KeyAccessConfiguration(reading: &reader)
        llm = LLMConfiguration(reading: &reader)
        reliability = LLMReliabilityConfiguration(reading: &reader)
        if api.requestTimeout <= llm.totalDeadline {
            reader.refuse("API_REQUEST_TIMEOUT_MS", "must be more than OPENROUTER_TOTAL_DEADLINE_MS")
        }
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
    public let keyAccess: KeyAccessConfiguration
    public let llm: LLMConfiguration
    public let reliability: LLMReliabilityConfiguration
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
        keyAccess = KeyAccessConfiguration(reading: &reader)
        llm = LLMConfiguration(reading: &reader)
        reliability = LLMReliabilityConfiguration(reading: &reader)
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

    /// For commands that touch only Postgres; `MIGRATIONS_DIR` is refused.
    public func forDatabase() throws(ConfigurationError) -> (
        general: GeneralConfiguration, database: DatabaseConfiguration
    ) {
        var reader = ConfigurationReader(loaded)
        let general = GeneralConfiguration(reading: &reader)
        let database = DatabaseConfiguration(reading: &reader)
        if reader.given("MIGRATIONS_DIR") != nil {
            reader.refuse("MIGRATIONS_DIR", "is not supported by this version: unset it")
        }
        try reader.finish()
        return (general, database)
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

    /// For commands that use the key in AWS KMS with the operator's own credentials.
    public func forCloudKey() throws(ConfigurationError) -> (
        general: GeneralConfiguration, key: CloudKeyConfiguration, access: KeyAccessConfiguration
    ) {
        var reader = ConfigurationReader(loaded)
        let general = GeneralConfiguration(reading: &reader)
        let key = CloudKeyConfiguration(reading: &reader)
        let access = KeyAccessConfiguration(reading: &reader)
        try reader.finish()
        return (general, key, access)
    }
}
