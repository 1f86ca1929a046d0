import FoundationEssentials
import HostRuntime
import HostStorage

/// One claimed job, from running it to recording how it ended.
///
/// The job's code runs beside its heartbeat and its limits and only returns a result. Every write is made here, under the
/// lease; a lost lease therefore writes nothing.
struct JobExecution: Sendable {
    /// Longest running time of a job.
    static let longestRun = Duration.seconds(600)
    /// Tries of recording an end while Postgres is away; after them the lease runs out.
    static let recordingTries = 6

    let handlers: [JobType: any JobHandler]
    let stores: WorkerStores
    let policy: RetryPolicy
    let lease: Duration
    let timeLimit: Duration
    let drain: Drain
    let report: WorkerReport

    private enum Ending: Sendable {
        case result(JobResult)
        case leaseLost
    }

    func run(_ job: ClaimedJob) async {
        let start = ContinuousClock.now
        report.jobStarted(job)
        let end: WorkerReport.JobEnd
        switch await outcome(of: job) {
        case .leaseLost: end = .leaseLost
        case .result(let result): end = await record(result, of: job)
        }
        report.jobEnded(job, end, took: start.duration(to: .now))
    }

    /// Whatever comes first: the job's result, the loss of its lease, its time limit, the end of the drain.
    private func outcome(of job: ClaimedJob) async -> Ending {
        if job.isExpired { return .result(.skipped("expired")) }
        guard let handler = handlers[job.lease.type] else {
            return .result(.permanent(JobProblem(code: "JOB_TYPE_UNKNOWN")))
        }
        return await withTaskGroup(of: Ending.self) { group in
            group.addTask {
                do throws(JobStop) {
                    return .result(try await handler.run(job))
                } catch {
                    return .result(error.result)
                }
            }
            group.addTask { await keepLease(job.lease) }
            group.addTask {
                try? await Task.sleep(for: timeLimit)
                return .result(.transient(JobProblem(code: "JOB_TIMEOUT")))
            }
            group.addTask {
                await drain.ended.wait()
                return .result(.deferred(JobProblem(code: "WORKER_DRAINED")))
            }
            let first = await group.next() ?? .leaseLost
            group.cancelAll()
            return first
        }
    }

    /// Extends the lease every third of it; returns when it is lost, or could not be extended before its end.
    private func keepLease(_ held: JobLease) async -> Ending {
        var extended = ContinuousClock.now
        while !Task.isCancelled {
            try? await Task.sleep(for: lease / 3)
            guard !Task.isCancelled else { break }
            let asked = ContinuousClock.now
            do throws(StorageError) {
                guard try await stores.jobs.heartbeat(held, extendBy: lease) else { return .leaseLost }
                extended = asked
            } catch {
                if extended.duration(to: .now) >= lease { return .leaseLost }
            }
        }
        return .leaseLost
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
            guard try await stores.jobs.finish(lease, effect) else { return .leaseLost }
            return effect.outcome == "skipped:expired" ? .expired : .done
        case .transient(let problem, let retryAfter):
            switch try await stores.jobs.retry(lease, problem, policy: policy, retryAfter: retryAfter) {
            case .retried: return .retried(problem.code)
            case .deadLettered: return .deadLettered(problem.code)
            case .leaseLost: return .leaseLost
            }
        case .deferred(let problem):
            return try await stores.jobs.defer(lease, problem) ? .deferred(problem.code) : .leaseLost
        case .permanent(let problem):
            return try await stores.jobs.fail(lease, problem) ? .deadLettered(problem.code) : .leaseLost
        case .reconnectRequired(let connector, let version):
            // Judged by the record's version, so it is right whoever holds the lease by now.
            _ = try await stores.connectors.markReconnectRequired(
                connector, of: lease.user, expectedVersion: version, reason: "invalid_grant")
            let effect = JobEffect(outcome: "skipped:connector_reconnect_required")
            return try await stores.jobs.finish(lease, effect) ? .done : .leaseLost
        }
    }
}
