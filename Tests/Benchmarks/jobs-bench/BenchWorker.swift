import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import JobWorker
import Logging
import Push
import ServiceLifecycle

/// A worker as the program makes it, with one handler for every type of job and an enclave that nobody asks.
struct BenchWorker {
    private let pool: PostgresPool
    private let service: WorkerService

    init(database: String, concurrency: Int, batch: Int, handler: some JobHandler) throws {
        let settings = [
            "WORKER_MAX_CONCURRENCY": "\(concurrency)", "WORKER_BATCH_SIZE": "\(batch)", "SCHEDULES_ENABLED": "false",
        ]
        var reader = ConfigurationReader(
            EnvironmentSource.load(process: .worker, environment: settings, directory: "/"))
        let configuration = PostgresConfiguration(url: database)
        pool = PostgresPool(configuration)
        var parts = WorkerService.Parts(
            configuration: WorkerConfiguration(reading: &reader), maximumPushes: 1, stores: WorkerStores(pool),
            enclave: NoEnclave(), routes: PushRoutes(sandbox: NoPush(), production: NoPush()),
            listener: Listener(configuration, channels: NotificationChannel.allCases),
            log: HostLog(process: .worker), metrics: MetricsRegistry())
        for type in JobType.allCases { parts.handlers[type] = handler }
        service = WorkerService(parts)
    }

    func newUser() async throws -> UUID {
        let user = UUID()
        _ = try await UserRepository(pool).ensureActive(user)
        return user
    }

    /// Runs the worker while `body` runs.
    func run(_ body: (WorkerStores) async throws -> Void) async throws {
        let group = ServiceGroup(configuration: .init(services: [service], logger: Logger(label: "worker")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            try await body(WorkerStores(pool))
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }
}

private struct NoPush: PushTransport {
    func send(_ message: PushMessage) async -> PushAnswer { .simulated }
}

private struct NoEnclave: WorkerEnclave {
    let isAvailable = true
    let attestedMeasurement = "none"
    private let refusal = EnclaveCallError.notConfigured

    func getGoogle(
        user: UserID, connector: ConnectorID, resource: GoogleResource, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleGetAnswer { throw refusal }

    func revokeGoogle(
        user: UserID, connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> GoogleRevokeAnswer { throw refusal }

    func seal(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults { throw refusal }

    func open(_ items: [DataItem], context: CallContext) async throws(EnclaveCallError) -> DataResults { throw refusal }

    func metrics(context: CallContext) async throws(EnclaveCallError) -> EnclaveMetrics { throw refusal }
}
