public import Foundation
public import HostRuntime
public import HostStorage
public import LLMGateway
public import Push
public import ServiceLifecycle

/// Jobs, schedules and notifications of one worker, drained as one.
public struct WorkerService: Service {
    /// What a worker is made of.
    public struct Parts: Sendable {
        public var configuration: WorkerConfiguration
        public var maximumPushes: Int
        public var stores: WorkerStores
        public var enclave: any WorkerEnclave
        public var routes: PushRoutes
        public var listener: Listener
        public var log: HostLog
        public var metrics: MetricsRegistry
        public var now: @Sendable () -> Date
        /// Writes briefs and judges mail.
        public var author: any NotificationAuthor
        /// Take the place of the ones that come with the worker.
        public var handlers: [JobType: any JobHandler] = [:]

        public init(
            configuration: WorkerConfiguration, maximumPushes: Int, stores: WorkerStores,
            enclave: any WorkerEnclave, routes: PushRoutes, listener: Listener, log: HostLog,
            metrics: MetricsRegistry, model: (any LanguageModel)? = nil,
            now: @escaping @Sendable () -> Date = { Date() }
        ) {
            self.configuration = configuration
            self.maximumPushes = maximumPushes
            self.stores = stores
            self.enclave = enclave
            self.routes = routes
            self.listener = listener
            self.log = log
            self.metrics = metrics
            self.now = now
            author = ModelAuthor(CapabilityRunner(model: model, metrics: metrics))
        }
    }

    private let stores: WorkerStores
    private let listener: Listener
    private let tick: Duration
    private let drainTimeout: Duration
    private let engine: JobEngine
    private let sender: PushSender
    private let drain: Drain
    private let report: WorkerReport
    private let onDrain: @Sendable () -> Void

    /// A worker; `onDrain` is called when it stops taking work.
    public init(_ parts: Parts, onDrain: @escaping @Sendable () -> Void = {}) {
        let (configuration, drain) = (parts.configuration, Drain())
        let report = WorkerReport(log: parts.log, metrics: parts.metrics)
        let workerID = "worker-\(UUID().uuidString.lowercased())"
        let interval = configuration.schedules.calendarScanInterval
        let policy = RetryPolicy(base: configuration.retryBaseDelay, maximum: configuration.retryMaximumDelay)
        let handlers: [JobType: any JobHandler] = [
            .calendarScan: CalendarScanJob(
                stores: parts.stores, enclave: parts.enclave, interval: interval, now: parts.now),
            .meetingReminder: MeetingReminderJob(stores: parts.stores, enclave: parts.enclave, now: parts.now),
            .morningBrief: MorningBriefJob(
                stores: parts.stores, enclave: parts.enclave, author: parts.author, now: parts.now),
            .urgentEmailCheck: UrgentEmailJob(
                stores: parts.stores, enclave: parts.enclave, author: parts.author, now: parts.now),
            .testNotification: TestNotificationJob(stores: parts.stores, enclave: parts.enclave, now: parts.now),
            .connectorNotice: ConnectorNoticeJob(stores: parts.stores, enclave: parts.enclave, now: parts.now),
        ]
        let execution = JobExecution(
            handlers: handlers.merging(parts.handlers) { $1 }, stores: parts.stores, policy: policy,
            running: RunningJobs(
                jobs: parts.stores.jobs, lease: configuration.lease, timeLimit: JobExecution.longestRun,
                report: report),
            completions: Completions(jobs: parts.stores.jobs), report: report)
        let settings = JobEngine.Settings(
            workerID: workerID, tick: configuration.tick, batchSize: configuration.batchSize,
            maximumConcurrency: configuration.maximumConcurrency, perUserLimit: configuration.perUserConcurrency,
            lease: configuration.lease, policy: policy,
            schedules: configuration.schedules.isEnabled ? ScheduleRhythm(configuration.schedules) : nil)
        engine = JobEngine(
            settings: settings, stores: parts.stores, enclave: parts.enclave, execution: execution, drain: drain,
            report: report)
        let sending = PushSending(
            stores: parts.stores, enclave: parts.enclave, routes: parts.routes, drain: drain, report: report,
            now: parts.now)
        sender = PushSender(
            workerID: workerID, maximumConcurrency: parts.maximumPushes, stores: parts.stores,
            enclave: parts.enclave, sending: sending, drain: drain, report: report)
        stores = parts.stores
        listener = parts.listener
        tick = configuration.tick
        drainTimeout = configuration.drainTimeout
        self.drain = drain
        self.report = report
        self.onDrain = onDrain
    }

    /// Works until shutdown; then finishes what is under way, and hands back what takes too long.
    public func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { helpers in
                helpers.addTask { await pass(listener.notifications()) }
                helpers.addTask { await tickForLog() }
                helpers.addTask { await limitDrain() }
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { await engine.run() }
                    group.addTask { await sender.run() }
                }
                helpers.cancelAll()
            }
            report.logTick()
            listener.shutdown()
        } onGracefulShutdown: {
            report.draining()
            onDrain()
            drain.begun.happen()
            engine.wakeUp.signal()
            sender.wakeUp.signal()
        }
    }

    private func pass(_ notifications: AsyncStream<NotificationChannel>) async {
        for await channel in notifications where channel != .privacy {
            if channel != .outbox { engine.wakeUp.signal() }
            if channel != .jobs { sender.wakeUp.signal() }
        }
    }

    private func tickForLog() async {
        while !Task.isCancelled {
            if let backlog = try? await stores.jobs.backlog() { report.backlog(backlog) }
            if let overdue = try? await stores.schedules.overdue() { report.overdue(overdue) }
            try? await Task.sleep(for: tick)
            report.logTick()
        }
    }

    private func limitDrain() async {
        await drain.begun.wait()
        do { try await Task.sleep(for: drainTimeout) } catch { return }
        drain.ended.happen()
    }
}
