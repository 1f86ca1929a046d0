import APIServer
import Glibc
import HostProcess
import HostRuntime
import HostStorage
import JobWorker
import Push
import ServiceLifecycle
import UnixSignals

/// The whole life of `worker`.
enum WorkerProgram {
    /// Starts, works until SIGTERM or SIGINT, drains.
    ///
    /// - Returns: the exit status: 0 after a drain, 1 when a step of start-up or a service failed. A configuration error
    ///   ends the process with 2.
    static func run() async -> Int32 {
        let configuration: WorkerServiceConfiguration
        do throws(ConfigurationError) {
            configuration = try WorkerServiceConfiguration(EnvironmentSource.load(process: .worker))
            try PushRoutes.check(configuration.push)
        } catch {
            error.exitProcess()
        }
        let log = HostLog(process: .worker, general: configuration.general)
        for name in configuration.unknownVariables {
            log.event("unknown_variable", .warn, [LogField(.variable, name)])
        }
        let metrics = MetricsRegistry()
        metrics.set(.buildInfo, [.version: "dev", .process: ProcessKind.worker.logName], to: 1)
        do throws(StartUpFailure) {
            let parts = try await StartUp(configuration: configuration, log: log, metrics: metrics).run()
            return await work(parts, configuration, log, metrics)
        } catch {
            return error.report(to: log)
        }
    }

    /// Shut down from the last to the first: the work, then what it stands on.
    private static func work(
        _ parts: StartUp.Parts, _ configuration: WorkerServiceConfiguration, _ log: HostLog,
        _ metrics: MetricsRegistry
    ) async -> Int32 {
        let readiness = parts.readiness
        let worker = WorkerService(
            WorkerService.Parts(
                configuration: configuration.worker, maximumPushes: configuration.push.maximumConcurrency,
                stores: WorkerStores(parts.process.pool), enclave: parts.process.enclave, routes: parts.routes,
                listener: parts.listener, log: log, metrics: metrics, model: parts.process.models)
        ) { readiness.beginDraining() }
        var services: [any Service] = [parts.process.enclave, parts.process.models, readiness]
        if let address = configuration.general.metricsBindAddress {
            services.append(OperationsListener(address: address, readiness: readiness, log: log, metrics: metrics))
        }
        services.append(EnclaveMetricsPull(enclave: parts.process.enclave, metrics: metrics))
        services.append(
            RevocationRepeater(stores: WorkerStores(parts.process.pool), enclave: parts.process.enclave, log: log))
        services.append(
            Retention(
                RetentionRepository(parts.process.pool), auditDays: configuration.worker.auditRetentionDays, log: log))
        services.append(GrantKeeper(pool: parts.process.pool, enclave: parts.process.enclave, log: log))
        services.append(worker)
        // The first to stop: it hands back at once what it has under way.
        services.append(
            PrivacyDeletion(
                PrivacyDeletion.Parts(
                    configuration: configuration.worker, pool: parts.process.pool,
                    keys: UserKeys(parts.process.redis, buckets: RateBuckets.names), enclave: parts.process.enclave,
                    listener: parts.listener, log: log, metrics: metrics)))
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: log.libraryLogger("services"))
        group.maximumGracefulShutdownDuration = configuration.worker.drainTimeout + .seconds(15)
        var status: Int32 = 0
        do {
            log.event("started")
            let services = ServiceGroup(configuration: group)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await exitAtSecondSignal() }
                tasks.addTask { try await services.run() }
                // The first task ends only when it is cancelled.
                defer { tasks.cancelAll() }
                try await tasks.next()
            }
        } catch {
            status = StartUpFailure(step: .services, reason: "ended").report(to: log)
        }
        log.event("stopped", .info, [LogField(.status, Int(status))])
        parts.process.shutdown()
        try? await parts.clients.shutdown()
        return status
    }

    /// Whoever asks twice does not want to wait for the drain.
    private static func exitAtSecondSignal() async {
        var count = 0
        for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            count += 1
            if count > 1 { _exit(1) }
        }
    }
}
