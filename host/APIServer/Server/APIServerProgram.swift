import AsyncHTTPClient
import HostProcess
import HostRuntime
import ServiceLifecycle
import UnixSignals

/// The whole life of `api-server`.
public enum APIServerProgram {
    /// Starts, serves until SIGTERM or SIGINT, drains.
    ///
    /// - Returns: the exit status: 0 after a drain, 1 when a step of start-up or a service failed. A configuration error
    ///   ends the process with 2.
    public static func run() async -> Int32 {
        let configuration: APIServerConfiguration
        do throws(ConfigurationError) {
            configuration = try APIServerConfiguration(EnvironmentSource.load(process: .api))
        } catch {
            error.exitProcess()
        }
        let log = HostLog(process: .api, general: configuration.general)
        for name in configuration.unknownVariables {
            log.event("unknown_variable", .warn, [LogField(.variable, name)])
        }
        let metrics = MetricsRegistry()
        metrics.set(.buildInfo, [.version: "dev", .process: ProcessKind.api.logName], to: 1)
        do throws(StartUpFailure) {
            let parts = try await StartUp(configuration: configuration, log: log, metrics: metrics).run()
            return await serve(parts, configuration, log)
        } catch {
            return error.report(to: log)
        }
    }

    /// Shut down from the last to the first: the announcer, then the listeners, then what they stand on.
    private static func serve(
        _ parts: StartUp.Parts, _ configuration: APIServerConfiguration, _ log: HostLog
    ) async -> Int32 {
        let dependencies = parts.dependencies
        let announcer = DrainAnnouncer(readiness: dependencies.readiness)
        let (isServing, isMeasured) = (Flag(), Flag())
        var services: [any Service] = [
            parts.process.enclave, parts.process.models,
            AccountWatcher(listener: parts.listener, accounts: dependencies.accounts),
            KeyRefresher(keys: dependencies.keys), dependencies.readiness,
        ]
        if let address = configuration.general.metricsBindAddress {
            services.append(
                OperationsListener(
                    address: address, readiness: dependencies.readiness, log: log, metrics: dependencies.metrics,
                    onListening: { _ in isMeasured.set() }))
        } else {
            isMeasured.set()
        }
        services.append(
            NamedListener(
                variable: "API_BIND_ADDR", address: configuration.api.bindAddress, log: log,
                listener: buildAPI(dependencies) { _ in isServing.set() }))
        services.append(announcer)
        var group = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint],
            logger: log.libraryLogger("services"))
        group.maximumGracefulShutdownDuration = DrainAnnouncer.notice + configuration.api.shutdownDrain + .seconds(1)
        var status: Int32 = 0
        do {
            try await ServiceGroup(configuration: group).run()
        } catch {
            // Past the drain's end the rest is cancelled: that is an end, not a failure.
            if dependencies.readiness.refusal != .draining {
                let step = isServing.isSet && isMeasured.isSet ? StartUpFailure.Step.services : .listeners
                status = StartUpFailure(step: step, reason: "ended").report(to: log)
            }
        }
        log.event("stopped", .info, [LogField(.status, Int(status))])
        parts.process.shutdown()
        try? await parts.client.shutdown()
        return status
    }
}
