public import EnclaveClient
import EnclaveProtocol
public import HostRuntime
public import HostStorage
import KeyOperations
public import LLMGateway

/// What every serving process stands on, once it was found to work.
public struct ProcessParts: Sendable {
    public let database: PostgresConfiguration
    public let pool: PostgresPool
    /// Connections of the record port alone.
    public let records: PostgresPool
    public let redis: RedisConnection
    public let enclave: EnclaveClient
    /// Runs as a service, so that a lost Redis is found again.
    public let models: LLMGateway

    /// Closes the connections; last of all, when nothing uses them any more.
    public func shutdown() {
        redis.shutdown()
        records.shutdown()
        pool.shutdown()
    }
}

/// The steps between a checked configuration and a process's own work that the API and the worker share, in order; the
/// first that fails ends the process.
public struct ProcessStartUp: Sendable {
    let general: GeneralConfiguration
    let storage: StorageConfiguration
    let enclave: EnclaveConnectionConfiguration
    let attestation: AttestationConfiguration
    let keyAccess: KeyAccessConfiguration
    let llm: LLMConfiguration
    let reliability: LLMReliabilityConfiguration
    let role: Role
    let log: HostLog
    let metrics: MetricsRegistry

    /// Connects Redis, checks database and schema, gives the record port its pool, probes the enclave.
    public func run() async throws(StartUpFailure) -> ProcessParts {
        let redis = try await connectRedis()
        let database = PostgresConfiguration(storage.database)
        let pool = PostgresPool(database)
        do throws(DatabaseCheck.Failure) {
            try await DatabaseCheck(pool).run()
        } catch {
            throw StartUpFailure(error)
        }
        let records = PostgresPool(database.forRecordPort)
        let enclave = try await probeEnclave(records)
        let models = try await startModels(redis, enclave)
        return ProcessParts(
            database: database, pool: pool, records: records, redis: redis, enclave: enclave, models: models)
    }

    private func connectRedis() async throws(StartUpFailure) -> RedisConnection {
        do throws(RedisError) {
            let redis = try RedisConnection(RedisOptions(storage.redis, trustRootsFile: general.egressCAFile))
            try await redis.ping()
            return redis
        } catch {
            throw StartUpFailure(error)
        }
    }

    /// Needs no provider, only a price table, and Redis with the scripts.
    private func startModels(_ redis: RedisConnection, _ enclave: EnclaveClient) async throws(StartUpFailure)
        -> LLMGateway
    {
        let models: LLMGateway
        do throws(PriceTable.Failure) {
            models = try LLMGateway(
                llm, reliability, quotaPercentWhileDown: storage.redis.quotaPercentWhileDown, redis: redis,
                sealing: enclave, rootsFile: general.egressCAFile, log: log, metrics: metrics)
        } catch {
            throw StartUpFailure(step: .prices, reason: error == .unreadable ? "unreadable" : "malformed")
        }
        do throws(RedisError) {
            try await models.start()
        } catch {
            throw StartUpFailure(error)
        }
        return models
    }

    private func probeEnclave(_ records: PostgresPool) async throws(StartUpFailure) -> EnclaveClient {
        let client: EnclaveClient
        do throws(SecretFileError) {
            client = try EnclaveClient(
                enclave, attestation, role: role, repository: SealedRecordRepository(records),
                credentials: HostCredentials(keyAccess), metrics: metrics, log: log)
        } catch {
            throw StartUpFailure(step: .enclaveKey, reason: "unreadable")
        }
        do throws(ProbeFailure) {
            try await client.probe()
        } catch {
            throw StartUpFailure(step: .enclave, reason: "\(error.step.rawValue) \(error.error.name)")
        }
        return client
    }
}

extension ProcessStartUp {
    /// The steps of `api-server`.
    public init(_ configuration: APIServerConfiguration, log: HostLog, metrics: MetricsRegistry) {
        self.init(
            general: configuration.general, storage: configuration.storage, enclave: configuration.enclave,
            attestation: configuration.attestation, keyAccess: configuration.keyAccess,
            llm: configuration.llm, reliability: configuration.reliability, role: .api, log: log,
            metrics: metrics)
    }

    /// The steps of `worker`.
    public init(_ configuration: WorkerServiceConfiguration, log: HostLog, metrics: MetricsRegistry) {
        self.init(
            general: configuration.general, storage: configuration.storage, enclave: configuration.enclave,
            attestation: configuration.attestation, keyAccess: configuration.keyAccess,
            llm: configuration.llm, reliability: configuration.reliability, role: .worker, log: log,
            metrics: metrics)
    }
}

extension ProcessParts {
    /// What readiness asks of the parts; a process adds its own.
    public func readinessChecks(_ metrics: MetricsRegistry) -> [ReadinessCheck] {
        let (checks, redis, enclave, pool) = (HealthChecks(pool), redis, enclave, pool)
        return [
            .succeeding(.database) {
                metrics.set(.poolInUse, to: Double(pool.inUse))
                metrics.setTotal(.auditFieldsDropped, to: Double(AuditRedactions.total))
                try await checks.database()
            },
            .succeeding(.migrations) { try await checks.migrations() },
            ReadinessCheck(.redis) {
                let isUp = (try? await redis.ping()) != nil
                metrics.set(.redisDegraded, to: isUp ? 0 : 1)
                return isUp ? .ok : .degraded
            },
            ReadinessCheck(.enclave) { (try? await enclave.health())?.status == .ok ? .ok : .degraded },
        ]
    }
}
