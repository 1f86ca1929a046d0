import APIServer
import AsyncHTTPClient
import EnclaveClient
import EnclaveProtocol
import HostRuntime
import HostStorage
import Push

/// A step of start-up that failed; the process ends with status 1.
struct StartUpFailure: Error {
    enum Step: String {
        case redis, database, schema, push, enclave, services
        case enclaveKey = "enclave_key"
    }

    let step: Step
    /// From a closed list; no text of a dependency.
    let reason: String
}

/// The steps between a checked configuration and the first job, in order; the first that fails ends the process.
struct StartUp {
    let configuration: WorkerServiceConfiguration
    let log: HostLog
    let metrics: MetricsRegistry

    /// The parts of a process that is ready to work.
    struct Parts {
        let pool: PostgresPool
        let records: PostgresPool
        let redis: RedisConnection
        let listener: Listener
        let enclave: EnclaveClient
        let client: HTTPClient
        let routes: PushRoutes
        let readiness: Readiness
    }

    func run() async throws(StartUpFailure) -> Parts {
        let redis = try await connectRedis()
        let database = PostgresConfiguration(configuration.storage.database)
        let pool = PostgresPool(database)
        try await checkDatabase(pool)
        let records = PostgresPool(database.forRecordPort)
        let enclave = try await probeEnclave(records)
        let client = EndpointPush.makeClient(
            rootsFile: configuration.general.egressCAFile, maximumConcurrency: configuration.push.maximumConcurrency)
        let routes: PushRoutes
        do throws(StartUpFailure) {
            routes = try pushRoutes(client)
        } catch {
            // The client must not be given up without its end.
            try? await client.shutdown()
            throw error
        }
        let readiness = readiness(pool, redis, enclave)
        await readiness.refresh()
        return Parts(
            pool: pool, records: records, redis: redis,
            listener: Listener(database, channels: NotificationChannel.allCases),
            enclave: enclave, client: client, routes: routes, readiness: readiness)
    }

    private func connectRedis() async throws(StartUpFailure) -> RedisConnection {
        do throws(RedisError) {
            let options = RedisOptions(configuration.storage.redis, trustRootsFile: configuration.general.egressCAFile)
            let redis = try RedisConnection(options)
            try await redis.ping()
            return redis
        } catch {
            throw StartUpFailure(step: .redis, reason: Self.word(error))
        }
    }

    private func checkDatabase(_ pool: PostgresPool) async throws(StartUpFailure) {
        let checks = HealthChecks(pool)
        do throws(StorageError) {
            try await checks.database()
        } catch {
            let problem = await ConnectProblem.find(pool.configuration)
            throw StartUpFailure(step: .database, reason: problem?.rawValue ?? Self.word(error))
        }
        do throws(StorageError) {
            try await checks.migrations()
        } catch {
            throw StartUpFailure(step: .schema, reason: Self.word(error))
        }
    }

    private static func word(_ error: RedisError) -> String {
        switch error {
        case .unavailable: "unavailable"
        case .timeout: "timeout"
        case .badURL: "bad_url"
        case .refused(let word): "refused \(word)"
        case .unexpectedAnswer: "unexpected_answer"
        }
    }

    private static func word(_ error: StorageError) -> String {
        switch error {
        case .unavailable: "unavailable"
        case .timeout: "timeout"
        case .schemaOutdated: "schema_outdated"
        case .unexpected(let state): "sqlstate_\(state)"
        case .cancelled, .unique, .conflict, .userDeleted: "refused"
        }
    }

    private func pushRoutes(_ client: HTTPClient) throws(StartUpFailure) -> PushRoutes {
        do throws(ConfigurationError) {
            return try PushRoutes(configuration.push, client: client, log: log)
        } catch {
            throw StartUpFailure(step: .push, reason: "configuration")
        }
    }

    private func probeEnclave(_ records: PostgresPool) async throws(StartUpFailure) -> EnclaveClient {
        let client: EnclaveClient
        do throws(SecretFileError) {
            client = try EnclaveClient(
                configuration.enclave, configuration.attestation, role: .worker,
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

    private func readiness(_ pool: PostgresPool, _ redis: RedisConnection, _ enclave: EnclaveClient) -> Readiness {
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
        ])
    }
}
