import FoundationEssentials
public import HostRuntime
import HostStorage
import Synchronization

/// What the worker tells logs and metrics: closed lists of labels, no ids of people, no content.
public final class WorkerReport: Sendable {
    /// How one execution of a job ended.
    enum JobEnd {
        case done, expired
        case retried(String), deferred(String), deadLettered(String)
        case leaseLost
        /// Nothing could be recorded; the lease runs out.
        case abandoned
    }

    struct Tick {
        var claimed = 0
        var done = 0
        var retried = 0
        var deferred = 0
        var deadLettered = 0
        var pushes = 0
        var pushFailed = 0
        var suppressed = 0
        var lagTotal = 0.0
        var lagMaximum = 0.0
        var isEmpty: Bool { claimed == 0 && pushes == 0 }
    }

    private let log: HostLog
    private let metrics: MetricsRegistry
    private let tick = Mutex(Tick())

    public init(log: HostLog, metrics: MetricsRegistry) {
        self.log = log
        self.metrics = metrics
    }

    // MARK: - Jobs

    func jobStarted(_ job: ClaimedJob) {
        let type = job.lease.type.rawValue
        metrics.observe(.jobLagSeconds, [.type: type], job.lag)
        metrics.adjust(.jobsRunning, [.type: type], by: 1)
        tick.withLock { tick in
            tick.claimed += 1
            tick.lagTotal += job.lag.inSeconds
            tick.lagMaximum = max(tick.lagMaximum, job.lag.inSeconds)
        }
    }

    func jobEnded(_ job: ClaimedJob, _ end: JobEnd, took duration: Duration) {
        let type = job.lease.type.rawValue
        metrics.adjust(.jobsRunning, [.type: type], by: -1)
        metrics.observe(.jobSeconds, [.type: type], duration)
        let (result, code) = end.words
        if let result { metrics.increment(.jobsFinished, [.type: type, .result: result]) }
        if case .leaseLost = end { metrics.increment(.leaseLost, [.queue: "jobs"]) }
        tick.withLock { $0.count(end) }
        var fields = [
            LogField(.jobType, type), LogField(.jobID, job.lease.job.uuidString.lowercased()),
            LogField(.outcome, result ?? "lease_lost"), LogField(.latency, duration),
        ]
        if let code { fields.append(LogField(.code, code)) }
        let trace = job.traceparent.flatMap(TraceContext.init(traceparent:))
        log.with(requestID: RequestID(job.lease.callID), trace: trace).event("job_finished", end.level, fields)
    }

    func recordingFailed(_ job: ClaimedJob, _ error: StorageError, attempt: Int) {
        log.event(
            "job_recording_failed", .warn,
            [LogField(.jobType, job.lease.type.rawValue), LogField(.reason, error.word), LogField(.attempt, attempt)])
    }

    func reaped(_ result: JobReapResult) {
        guard result.returned + result.deadLettered > 0 else { return }
        log.event(
            "leases_expired", .warn,
            [LogField(.retried, result.returned), LogField(.deadLettered, result.deadLettered)])
    }

    /// What waits in the whole fleet.
    func backlog(_ backlog: [JobBacklog]) {
        for type in JobType.allCases {
            let row = backlog.first { $0.type == type }
            metrics.set(.jobsPendingDue, [.type: type.rawValue], to: Double(row?.pendingDue ?? 0))
            metrics.set(.deadLetters, [.type: type.rawValue], to: Double(row?.deadLetters ?? 0))
        }
    }

    func overdue(_ counts: [ScheduleKind: Int]) {
        for kind in ScheduleKind.allCases {
            metrics.set(.schedulesOverdue, [.type: kind.rawValue], to: Double(counts[kind] ?? 0))
        }
    }

    func stepped(_ step: ScheduleStep) {
        for drift in step.drifts { metrics.observe(.scheduleDriftSeconds, [.type: drift.kind.rawValue], drift.drift) }
    }

    func storageFailed(_ queue: String, _ error: StorageError) {
        log.event("storage_failed", .warn, [LogField(.queue, queue), LogField(.reason, error.word)])
    }

    // MARK: - Notifications

    /// A sending ended; `outcome` is nil when the lease was lost or nothing could be recorded.
    func pushEnded(_ push: ClaimedPush, _ outcome: PushOutcome?, took duration: Duration, reminderDelay: Double?) {
        guard let outcome else {
            metrics.increment(.leaseLost, [.queue: "outbox"])
            return
        }
        let labels: MetricsRegistry.Labels = [.kind: push.kind.rawValue, .outcome: outcome.word]
        metrics.increment(.pushes, labels)
        metrics.observe(.pushSeconds, labels, duration)
        if push.kind == .meetingReminder, outcome.isSent, let reminderDelay {
            metrics.observe(.reminderDelaySeconds, labels, seconds: max(0, reminderDelay))
        }
        if case .suppressed = outcome { metrics.increment(.pushSuppressed, [.reason: "quiet_hours"]) }
        if case .failed(_, let reason?, _) = outcome { metrics.increment(.devicesDisabled, [.reason: reason]) }
        tick.withLock { $0.count(outcome) }
        var fields = [
            LogField(.kind, push.kind.rawValue), LogField(.outcome, outcome.word), LogField(.attempt, push.attempt),
            LogField(.notificationID, push.lease.id.uuidString.lowercased()), LogField(.latency, duration),
        ]
        if let code = outcome.code { fields.append(LogField(.code, code)) }
        log.with(requestID: push.requestID.flatMap(RequestID.init), trace: nil)
            .event("push_finished", outcome.code == nil ? .info : .warn, fields)
    }

    func pushesReaped(_ count: Int) {
        guard count > 0 else { return }
        log.event("push_leases_expired", .warn, [LogField(.count, count)])
    }

    func pushesExpired(_ count: Int) {
        guard count > 0 else { return }
        metrics.increment(.pushes, [.kind: "any", .outcome: "expired"], by: Double(count))
        log.event("pushes_expired", .warn, [LogField(.count, count)])
    }

    // MARK: - Life

    func draining() { log.event("worker_draining") }

    /// What happened since the last tick.
    func logTick() {
        let tick = tick.withLock { tick in
            defer { tick = Tick() }
            return tick
        }
        guard !tick.isEmpty else { return }
        let average = tick.claimed == 0 ? 0 : tick.lagTotal / Double(tick.claimed)
        log.event(
            "worker_tick", .info,
            [
                LogField(.claimed, tick.claimed), LogField(.done, tick.done), LogField(.retried, tick.retried),
                LogField(.deferred, tick.deferred), LogField(.deadLettered, tick.deadLettered),
                LogField(.pushes, tick.pushes), LogField(.pushFailed, tick.pushFailed),
                LogField(.suppressed, tick.suppressed), LogField(.lagAverage, Int(average * 1000)),
                LogField(.lagMaximum, Int(tick.lagMaximum * 1000)),
            ])
    }
}
