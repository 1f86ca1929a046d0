import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import LLMGateway
import Logging
import Push
import ServiceLifecycle
import Synchronization
import Testing

@testable import HostStorage
@testable import JobWorker

/// A database, a scripted enclave and a recording gateway, with workers that run on them.
final class WorkerWorld: Sendable {
    let database: WorkerDatabase
    let enclave: ScriptedEnclave
    let push: RecordingPush
    let metrics = MetricsRegistry()
    let lines = Mutex<[String]>([])
    let settings: [String: String]
    let handlers: [JobType: any JobHandler]
    let author: any NotificationAuthor
    /// What the workers use in place of the database's own pool.
    let pool: PostgresPool?

    init(
        _ enclave: ScriptedEnclave, push: RecordingPush = RecordingPush(), settings: [String: String] = [:],
        handlers: [JobType: any JobHandler] = [:],
        author: any NotificationAuthor = ModelAuthor(CapabilityRunner(model: nil)),
        pool: PostgresPool? = nil
    ) async throws {
        self.handlers = handlers
        self.author = author
        self.pool = pool
        database = try #require(WorkerDatabase.current, "the suite lacks the trait .freshDatabase")
        self.enclave = enclave
        self.push = push
        self.settings = settings
    }

    var stores: WorkerStores { WorkerStores(pool ?? database.pool) }

    var silentLog: HostLog { HostLog(process: .worker, threshold: .error, sink: LogSink { _ in }) }

    /// Runs one worker while `body` runs, then shuts it down as SIGTERM would.
    func withWorker(_ body: () async throws -> Void) async throws {
        let group = try self.group()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await body()
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    /// Runs one worker until `body` returns, and then stops it between two instructions: nothing is written any more.
    func withWorkerThatDies(_ body: () async throws -> Void) async throws {
        let service = try self.service()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await service.run() }
            try await body()
            tasks.cancelAll()
        }
    }

    private func group() throws -> ServiceGroup {
        ServiceGroup(configuration: .init(services: [try service()], logger: Logger(label: "worker")))
    }

    private func service() throws -> WorkerService {
        let lines = self
        let log = HostLog(
            process: .worker, threshold: .info, sink: LogSink { line in lines.lines.withLock { $0.append(line) } })
        let listener = Listener(PostgresConfiguration(url: database.url), channels: NotificationChannel.allCases)
        var parts = WorkerService.Parts(
            configuration: try configuration(), maximumPushes: 8, stores: stores, enclave: enclave,
            routes: PushRoutes(sandbox: push, production: push), listener: listener, log: log, metrics: metrics)
        parts.handlers = handlers
        parts.author = author
        return WorkerService(parts)
    }

    private func configuration() throws -> WorkerConfiguration {
        let environment = ["WORKER_LEASE_SECONDS": "3", "WORKER_RETRY_BASE_DELAY_SECONDS": "1"].merging(settings) { $1 }
        var reader = ConfigurationReader(
            EnvironmentSource.load(process: .worker, environment: environment, directory: "/"))
        return WorkerConfiguration(reading: &reader)
    }

    // MARK: - People

    /// A user with a device, an ACTIVE connector with the calendar scope and a scan due now; no quiet hours.
    func connectedUser(
        devices: Int = 1, scopes: [String] = [GoogleScope.calendar]
    ) async throws -> (user: UUID, connector: UUID) {
        let (user, connector) = (UUID(), UUID())
        _ = try await UserRepository(database.pool).ensureActive(user)
        _ = try await stores.preferences.getOrCreate(user)
        try await database.sql(
            "update alfred.user_preferences set quiet_hours_start = '00:00', quiet_hours_end = '00:00'")
        for number in 0..<devices { try await register(user, "phone-\(number)") }
        _ = try await SealedRecordRepository(database.pool).put(
            SealedRecordWrite(
                user: user, connector: connector, provider: .google, expectedVersion: 0, newVersion: 1, keyID: "k",
                keyVersion: 1, sealed: [1]))
        let state = NewOAuthState(
            id: UUID(), user: user, stateSHA256: Self.random(32), redirectURI: "alfred://oauth/google/callback",
            sealedVerifier: [1], sealedKeyVersion: 1, lifetime: .seconds(600))
        try await OAuthStateRepository(database.pool).insert(state)
        _ = try await stores.connectors.activate(
            ConnectorActivation(
                user: user, connector: connector, recordVersion: 1, scopes: scopes, state: state.id,
                accountChanged: false, attestedMeasurement: "m"))
        return (user, connector)
    }

    func register(_ user: UUID, _ device: String) async throws {
        let token = DataItem(
            purpose: .deviceAPNsToken, user: UserID(user), recordID: device, content: Array("token-\(device)".utf8))
        let sealed = try await enclave.seal([token], context: CallContext(requestID: "test"))
        _ = try await stores.devices.register(
            DeviceRegistration(
                user: user, deviceIdentifier: device, sealedToken: try #require(try sealed.results.first?.get()),
                tokenSHA256: Self.random(32), sealedKeyVersion: 1, environment: .sandbox))
    }

    /// A reminder job of its own, due now.
    func enqueueReminder(for user: UUID, _ meeting: MeetingPayload) async throws {
        let job = UUID()
        let item = DataItem(
            purpose: .jobPayload, user: UserID(user), recordID: job.uuidString.lowercased(),
            content: Array(try JSONEncoder().encode(meeting)))
        let sealed = try await enclave.seal([item], context: CallContext(requestID: "test"))
        _ = try await stores.jobs.enqueue(
            NewJob(
                id: job, user: user, type: .meetingReminder, idempotencyKey: meeting.jobKey,
                expiresAt: meeting.startDate, sealedPayload: try #require(try sealed.results.first?.get()),
                sealedKeyVersion: 1))
    }

    /// A test notification, due now.
    func enqueueTest(for user: UUID, title: String, body: String) async throws {
        let job = UUID()
        let item = DataItem(
            purpose: .jobPayload, user: UserID(user), recordID: job.uuidString.lowercased(),
            content: Array(try JSONEncoder().encode(["title": title, "body": body])))
        let sealed = try await enclave.seal([item], context: CallContext(requestID: "test"))
        _ = try await stores.jobs.enqueue(
            NewJob(
                id: job, user: user, type: .testNotification, idempotencyKey: "TEST_NOTIFICATION:\(job)",
                sealedPayload: try #require(try sealed.results.first?.get()), sealedKeyVersion: 1))
    }

    static func random(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0...255) } }
}
