import FoundationEssentials
import HostRuntime
import HostStorage

/// One claimed job, from running it to recording how it ended.
///
/// The job's code only returns a result. Every write is made here, under the lease; a lost lease therefore writes nothing.
struct JobExecution: Sendable {
    /// Longest running time of a job.
    static let longestRun = Duration.seconds(600)
    /// Tries of recording an end while Postgres is away; after them the lease runs out.
    static let recordingTries = 6

    let handlers: [JobType: any JobHandler]
    let stores: WorkerStores
    let policy: RetryPolicy
    let running: RunningJobs
    let completions: Completions
    let report: WorkerReport

    /// Calls `finished` when the job's code has ended and only its result is left to be recorded.
    func run(_ job: ClaimedJob, finished: () -> Void) async {
        let start = ContinuousClock.now
        report.jobStarted(job)
        let result = await result(of: job)
        finished()
        let end = if let result { await record(result, of: job) } else { WorkerReport.JobEnd.leaseLost }
        running.end(job.lease.job)
        report.jobEnded(job, end, took: start.duration(to: .now))
    }

    /// The job's result, or why it was stopped; nil when the lease was lost.
    private func result(of job: ClaimedJob) async -> JobResult? {
        if job.isExpired { return .skipped("expired") }
        guard let handler = handlers[job.lease.type] else { return .permanent(JobProblem(code: "JOB_TYPE_UNKNOWN")) }
        let work = Task {
            do throws(JobStop) { return try await handler.run(job) } catch { return error.result }
        }
        running.attach(work, to: job.lease.job)
        let result = await withTaskCancellationHandler {
            await work.value
        } onCancel: {
            work.cancel()
        }
        switch running.stop(of: job.lease.job) {
        case nil: return result
        case .leaseLost: return nil
        case .timeLimit: return .transient(JobProblem(code: "JOB_TIMEOUT"))
        case .drained: return .deferred(JobProblem(code: "WORKER_DRAINED"))
        }
    }

    // MARK: - Recording

    private func record(_ result: JobResult, of job: ClaimedJob) async -> WorkerReport.JobEnd {
        var pause = Backoff(first: .milliseconds(100), cap: .seconds(2))
        for attempt in 1...Self.recordingTries {
            do throws(StorageError) {
                return try await recordOnce(result, of: job.lease)
            } catch {
                guard error != .userDeleted else { return .leaseLost }
                report.recordingFailed(job, error, attempt: attempt)
                if attempt < Self.recordingTries { try? await Task.sleep(for: pause.next()) }
            }
        }
        return .abandoned
    }

    private func recordOnce(_ result: JobResult, of lease: JobLease) async throws(StorageError) -> WorkerReport.JobEnd {
        switch result {
        case .done(let effect):
            let isRecorded =
                effect.isEmpty
                ? try await completions.finish(lease, outcome: effect.outcome)
                : try await stores.jobs.finish(lease, effect)
            guard isRecorded else { return .leaseLost }
            return effect.outcome == "skipped:expired" ? .expired : .done
        case .transient(let problem, let retryAfter):
            switch try await stores.jobs.retry(lease, problem, policy: policy, retryAfter: retryAfter) {
            case .retried: return .retried(problem.code)
            case .deadLettered: return .deadLettered(problem.code)
            case .leaseLost: return .leaseLost
            }
        case .deferred(let problem):
            return try await stores.jobs.defer(lease, problem) ? .deferred(problem.code) : .leaseLost
        case .postponed(let due):
            return try await stores.jobs.postpone(lease, until: due) ? .deferred("REMINDER_MOVED") : .leaseLost
        case .permanent(let problem):
            return try await stores.jobs.fail(lease, problem) ? .deadLettered(problem.code) : .leaseLost
        case .reconnectRequired(let connector, let version):
            // Judged by the record's version, so it is right whoever holds the lease by now.
            _ = try await stores.connectors.markReconnectRequired(
                connector, of: lease.user, expectedVersion: version, reason: "invalid_grant")
            return try await completions.finish(lease, outcome: "skipped:connector_reconnect_required")
                ? .done : .leaseLost
        }
    }
}
