import AsyncHTTPClient
import EnclaveClient
import EnclaveProtocol
import HostRuntime
import HostStorage

/// The steps between a checked configuration and the first request, in order; the first that fails ends the process.
struct StartUp: Sendable {
    let configuration: APIServerConfiguration
    let log: HostLog
    let metrics: MetricsRegistry

    /// The parts of a process that is ready to listen.
    struct Parts: Sendable {
        let pool: PostgresPool
        let records: PostgresPool
        let redis: RedisConnection
        let listener: Listener
        let enclave: EnclaveClient
        let client: HTTPClient
        let dependencies: APIDependencies
    }

    func run() async throws(StartUpFailure) -> Parts {
        let redis = try await connectRedis()
        let database = PostgresConfiguration(configuration.storage.database)
        let pool = PostgresPool(database)
        try await checkDatabase(pool)
        let records = PostgresPool(database.forRecordPort)
        let enclave = try await probeEnclave(records)
        let client = KeySetFetcher.makeClient(rootsFile: configuration.general.egressCAFile)
        let keys = KeyDirectory(
            source: KeySetFetcher(client: client, configuration: configuration.api.clerk),
            sharing: RedisKeySharing(redis, key: configuration.api.clerk.cacheKey),
            rules: KeyDirectoryRules(configuration.api.clerk), metrics: metrics, log: log, now: { Int(wallClock()) })
        if await !keys.refreshIfDue() { log.event("jwks_prefetch_failed", .warn) }
        let dependencies = APIDependencies(
            configuration: configuration.api,
            maximumEvidenceAgeSeconds: Int(configuration.attestation.maximumAge.components.seconds), log: log,
            metrics: metrics, repositories: APIDependencies.Repositories(pool), enclave: enclave,
            limiter: SharedLimits(
                SlidingWindowLimiter(redis, localPercent: configuration.storage.redis.quotaPercentWhileDown),
                metrics: metrics),
            keys: keys, accounts: AccountGate(UserRepository(pool)),
            readiness: readiness(pool, redis, enclave, keys))
        await dependencies.readiness.refresh()
        return Parts(
            pool: pool, records: records, redis: redis, listener: Listener(database, channels: [.users]),
            enclave: enclave,
            client: client, dependencies: dependencies)
    }

    private func connectRedis() async throws(StartUpFailure) -> RedisConnection {
        do throws(RedisError) {
            let options = RedisOptions(configuration.storage.redis, trustRootsFile: configuration.general.egressCAFile)
            let redis = try RedisConnection(options)
            try await redis.ping()
            return redis
        } catch {
            throw StartUpFailure(step: .redis, reason: error.name)
        }
    }

    private func checkDatabase(_ pool: PostgresPool) async throws(StartUpFailure) {
        let checks = HealthChecks(pool)
        do throws(StorageError) {
            try await checks.database()
        } catch {
            let problem = await ConnectProblem.find(pool.configuration)
            throw StartUpFailure(step: .database, reason: problem?.rawValue ?? error.name)
        }
        do throws(StorageError) {
            try await checks.migrations()
        } catch {
            throw StartUpFailure(step: .schema, reason: error.name)
        }
    }

    private func probeEnclave(_ records: PostgresPool) async throws(StartUpFailure) -> EnclaveClient {
        let client: EnclaveClient
        do throws(SecretFileError) {
            client = try EnclaveClient(
                configuration.enclave, configuration.attestation, role: .api,
                repository: SealedRecordRepository(records), metrics: metrics, log: log)
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

    private func readiness(
        _ pool: PostgresPool, _ redis: RedisConnection, _ enclave: EnclaveClient, _ keys: KeyDirectory
    ) -> Readiness {
        let (checks, metrics) = (HealthChecks(pool), metrics)
        return Readiness([
            .succeeding(.database) { try await checks.database() },
            .succeeding(.migrations) { try await checks.migrations() },
            ReadinessCheck(.redis) {
                let isUp = (try? await redis.ping()) != nil
                metrics.set(.redisDegraded, to: isUp ? 0 : 1)
                return isUp ? .ok : .degraded
            },
            ReadinessCheck(.enclave) { (try? await enclave.health())?.status == .ok ? .ok : .degraded },
            ReadinessCheck(.jwks) { await keys.isReady ? .ok : .degraded },
        ])
    }
}

extension RedisError {
    /// A word for logs.
    fileprivate var name: String {
        switch self {
        case .unavailable: "unavailable"
        case .timeout: "timeout"
        case .badURL: "bad_url"
        case .refused(let word): "refused \(word)"
        case .unexpectedAnswer: "unexpected_answer"
        }
    }
}

extension StorageError {
    /// A word for logs.
    var name: String {
        switch self {
        case .unavailable: "unavailable"
        case .timeout: "timeout"
        case .cancelled: "cancelled"
        case .unique: "unique"
        case .conflict: "conflict"
        case .userDeleted: "user_deleted"
        case .schemaOutdated: "schema_outdated"
        case .unexpected(let state): "sqlstate_\(state)"
        }
    }
}
