import AsyncHTTPClient
import HostProcess
import HostRuntime
import HostStorage
import LLMGateway

/// The steps between a checked configuration and the first request; the first that fails ends the process.
struct StartUp: Sendable {
    let configuration: APIServerConfiguration
    let log: HostLog
    let metrics: MetricsRegistry

    /// The parts of a process that is ready to listen.
    struct Parts: Sendable {
        let process: ProcessParts
        let listener: Listener
        let client: HTTPClient
        let dependencies: APIDependencies
    }

    func run() async throws(StartUpFailure) -> Parts {
        let process = try await ProcessStartUp(configuration, log: log, metrics: metrics).run()
        let client = KeySetFetcher.makeClient(rootsFile: configuration.general.egressCAFile)
        let keys = KeyDirectory(
            source: KeySetFetcher(client: client, configuration: configuration.api.clerk),
            sharing: RedisKeySharing(process.redis, key: configuration.api.clerk.cacheKey),
            rules: KeyDirectoryRules(configuration.api.clerk), metrics: metrics, log: log, now: { Int(wallClock()) })
        if await !keys.refreshIfDue() { log.event("jwks_prefetch_failed", .warn) }
        let keyCheck = ReadinessCheck(.jwks) { await keys.isReady ? .ok : .degraded }
        let dependencies = APIDependencies(
            configuration: configuration.api,
            maximumEvidenceAgeSeconds: Int(configuration.attestation.maximumAge.components.seconds), log: log,
            metrics: metrics, repositories: APIDependencies.Repositories(process.pool), enclave: process.enclave,
            brain: ModelBrain(runner: CapabilityRunner(model: process.models, metrics: metrics)),
            limiter: SharedLimits(
                SlidingWindowLimiter(process.redis, localPercent: configuration.storage.redis.quotaPercentWhileDown),
                metrics: metrics),
            keys: keys, accounts: AccountGate(UserRepository(process.pool)),
            readiness: Readiness(process.readinessChecks(metrics) + [keyCheck]))
        await dependencies.readiness.refresh()
        return Parts(
            process: process, listener: Listener(process.database, channels: [.users]), client: client,
            dependencies: dependencies)
    }
}
