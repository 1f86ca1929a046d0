import HostProcess
import HostRuntime
import HostStorage
import Push

/// The steps between a checked configuration and the first job; the first that fails ends the process.
struct StartUp {
    let configuration: WorkerServiceConfiguration
    let log: HostLog
    let metrics: MetricsRegistry

    /// The parts of a process that is ready to work.
    struct Parts {
        let process: ProcessParts
        let listener: Listener
        let clients: PushClients
        let routes: PushRoutes
        let readiness: Readiness
    }

    func run() async throws(StartUpFailure) -> Parts {
        let process = try await ProcessStartUp(configuration, log: log, metrics: metrics).run()
        let clients = PushClients(
            rootsFile: configuration.general.egressCAFile, maximumConcurrency: configuration.push.maximumConcurrency)
        let routes: PushRoutes
        do throws(StartUpFailure) {
            routes = try pushRoutes(clients)
        } catch {
            // The client must not be given up without its end.
            try? await clients.shutdown()
            throw error
        }
        let readiness = Readiness(process.readinessChecks(metrics))
        await readiness.refresh()
        return Parts(
            process: process, listener: Listener(process.database, channels: NotificationChannel.allCases),
            clients: clients, routes: routes, readiness: readiness)
    }

    private func pushRoutes(_ clients: PushClients) throws(StartUpFailure) -> PushRoutes {
        do throws(ConfigurationError) {
            return try PushRoutes(configuration.push, clients: clients, log: log, metrics: metrics)
        } catch {
            throw StartUpFailure(step: .push, reason: "configuration")
        }
    }
}
