import FoundationEssentials
import HostStorage
import Synchronization

/// The executions of this process: keeps their leases with one statement for all, and ends those that lost theirs, that
/// run too long, or that the end of the drain cuts off.
final class RunningJobs: Sendable {
    enum Stop: Sendable { case leaseLost, timeLimit, drained }

    private struct Entry {
        let lease: JobLease
        let since: ContinuousClock.Instant
        /// When the extension that holds now was asked for.
        var extended: ContinuousClock.Instant
        var work: Task<JobResult, Never>?
        var stop: Stop?
    }

    private struct State {
        var entries: [UUID: Entry] = [:]
        var isDrained = false
    }

    private let jobs: JobRepository
    private let lease: Duration
    private let timeLimit: Duration
    private let report: WorkerReport
    private let state = Mutex(State())

    init(jobs: JobRepository, lease: Duration, timeLimit: Duration, report: WorkerReport) {
        self.jobs = jobs
        self.lease = lease
        self.timeLimit = timeLimit
        self.report = report
    }

    var count: Int { state.withLock { $0.entries.count } }

    // MARK: - From claimed to recorded

    /// A claimed job; its lease is kept until `end`.
    func begin(_ lease: JobLease, claimedAt: ContinuousClock.Instant) {
        state.withLock {
            $0.entries[lease.job] = Entry(
                lease: lease, since: .now, extended: claimedAt, stop: $0.isDrained ? .drained : nil)
        }
    }

    /// The task that runs a job, so that it can be stopped; at once when that was decided already.
    func attach(_ work: Task<JobResult, Never>, to job: UUID) {
        let isStopped = state.withLock { state in
            state.entries[job]?.work = work
            return state.entries[job]?.stop != nil
        }
        if isStopped { work.cancel() }
    }

    /// Why a job was stopped, if it was.
    func stop(of job: UUID) -> Stop? { state.withLock { $0.entries[job]?.stop } }

    func end(_ job: UUID) { state.withLock { _ = $0.entries.removeValue(forKey: job) } }

    // MARK: - Keeping

    /// Until cancelled.
    func keep() async {
        let pause = min(lease / 3, max(timeLimit / 8, .milliseconds(20)))
        var beat = ContinuousClock.now
        while !Task.isCancelled {
            try? await Task.sleep(for: pause)
            guard !Task.isCancelled else { return }
            stopOverdue()
            guard beat.duration(to: .now) >= lease / 3 - pause / 2 else { continue }
            beat = .now
            await extend()
        }
    }

    /// The drain is over: everything under way is cut off, and what begins later too.
    func stopAll() {
        stop(.drained) { state in
            state.isDrained = true
            return Array(state.entries.keys)
        }
    }

    private func stopOverdue() {
        let limit = timeLimit
        stop(.timeLimit) { state in
            state.entries.filter { $0.value.since.duration(to: .now) >= limit }.map(\.key)
        }
    }

    private func extend() async {
        let leases = state.withLock { $0.entries.values.map(\.lease) }
        guard !leases.isEmpty else { return }
        let asked = ContinuousClock.now
        do throws(StorageError) {
            let lost = try await jobs.heartbeat(leases, extendBy: lease)
            state.withLock { state in
                for lease in leases where !lost.contains(lease.job) { state.entries[lease.job]?.extended = asked }
            }
            stop(.leaseLost) { _ in Array(lost) }
        } catch {
            report.storageFailed("leases", error)
            let lease = lease
            stop(.leaseLost) { state in
                state.entries.filter { $0.value.extended.duration(to: .now) >= lease }.map(\.key)
            }
        }
    }

    private func stop(_ reason: Stop, _ choose: (inout State) -> [UUID]) {
        let work = state.withLock { state in
            choose(&state).compactMap { job -> Task<JobResult, Never>? in
                guard state.entries[job] != nil, state.entries[job]?.stop == nil else { return nil }
                state.entries[job]?.stop = reason
                return state.entries[job]?.work
            }
        }
        for task in work { task.cancel() }
    }
}
