import AsyncHTTPClient
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
        let client: HTTPClient
        let routes: PushRoutes
        let readiness: Readiness
    }

    func run() async throws(StartUpFailure) -> Parts {
        let process = try await ProcessStartUp(configuration, log: log, metrics: metrics).run()
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
        let readiness = Readiness(process.readinessChecks(metrics))
        await readiness.refresh()
        return Parts(
            process: process, listener: Listener(process.database, channels: NotificationChannel.allCases),
            client: client, routes: routes, readiness: readiness)
    }

    private func pushRoutes(_ client: HTTPClient) throws(StartUpFailure) -> PushRoutes {
        do throws(ConfigurationError) {
            return try PushRoutes(configuration.push, client: client, log: log)
        } catch {
            throw StartUpFailure(step: .push, reason: "configuration")
        }
    }
}
