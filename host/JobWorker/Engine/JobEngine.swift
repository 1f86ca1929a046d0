import FoundationEssentials
import HostRuntime
import HostStorage

/// Steps schedules, takes back lost jobs, claims due ones and runs them side by side.
///
/// It sleeps until the earliest of a notification, the next due time, the end of a job and the tick.
final class JobEngine: Sendable {
    /// Shortest and longest wait while due jobs are there that cannot be claimed now.
    private static let blockedPause = (first: Duration.milliseconds(100), cap: Duration.seconds(2))

    struct Settings: Sendable {
        var workerID: String
        var tick: Duration
        var batchSize: Int
        var perUserLimit: Int
        var lease: Duration
        var policy: RetryPolicy
        /// Nil: this worker steps no schedules.
        var calendarScanInterval: Duration?
    }

    let wakeUp = WakeUp()
    private let settings: Settings
    private let stores: WorkerStores
    private let enclave: any WorkerEnclave
    private let execution: JobExecution
    private let places: Places
    private let drain: Drain
    private let report: WorkerReport

    init(
        settings: Settings, places: Places, stores: WorkerStores, enclave: any WorkerEnclave,
        execution: JobExecution, drain: Drain, report: WorkerReport
    ) {
        self.settings = settings
        self.places = places
        self.stores = stores
        self.enclave = enclave
        self.execution = execution
        self.drain = drain
        self.report = report
    }

    /// Works until the drain begins, then waits for the jobs under way.
    func run() async {
        var blocked = Backoff(first: Self.blockedPause.first, cap: Self.blockedPause.cap)
        var lastReap: ContinuousClock.Instant?
        await withDiscardingTaskGroup { group in
            while !drain.begun.hasHappened, !Task.isCancelled {
                let wait: Duration
                do throws(StorageError) {
                    await step(&lastReap)
                    let claimed = try await claim()
                    for job in claimed { start(job, in: &group) }
                    if !claimed.isEmpty {
                        blocked.reset()
                        continue
                    }
                    let due = try await timeUntilNextDue()
                    wait = due > .zero ? due : blocked.next()
                } catch {
                    report.storageFailed("jobs", error)
                    wait = blocked.next()
                }
                // A signal says that something changed: what was blocked may not be any more.
                if await wakeUp.wait(atMost: wait) { blocked.reset() }
            }
        }
    }

    /// How often leases of dead workers are looked for.
    private var reapInterval: Duration { min(settings.tick, max(.seconds(1), settings.lease / 6)) }

    /// A schedule or a lost job that cannot be written must not keep the other jobs from running.
    private func step(_ lastReap: inout ContinuousClock.Instant?) async {
        do throws(StorageError) {
            if let interval = settings.calendarScanInterval {
                report.stepped(try await stores.schedules.stepDue(calendarScanEvery: interval))
            }
        } catch {
            report.storageFailed("schedules", error)
        }
        guard lastReap.map({ $0.duration(to: .now) >= reapInterval }) ?? true else { return }
        do throws(StorageError) {
            report.reaped(try await stores.jobs.reap(policy: settings.policy))
            lastReap = .now
        } catch {
            report.storageFailed("leases", error)
        }
    }

    private func claim() async throws(StorageError) -> [ClaimedJob] {
        let free = places.free
        guard enclave.isAvailable, free.all > 0, !drain.begun.hasHappened else { return [] }
        return try await stores.jobs.claim(
            JobClaim(
                owner: settings.workerID, maximum: min(free.all, settings.batchSize),
                maximumBackground: free.background, perUserLimit: settings.perUserLimit, lease: settings.lease))
    }

    private func start(_ job: ClaimedJob, in group: inout DiscardingTaskGroup) {
        let isPrompt = job.lease.type.isPrompt
        places.take(isPrompt: isPrompt)
        group.addTask {
            await self.execution.run(job)
            self.places.giveBack(isPrompt: isPrompt)
            self.wakeUp.signal()
        }
    }

    private func timeUntilNextDue() async throws(StorageError) -> Duration {
        var wait = reapInterval
        if let due = try await stores.jobs.timeUntilNextDue() { wait = min(wait, due) }
        if settings.calendarScanInterval != nil, let due = try await stores.schedules.timeUntilNextDue() {
            wait = min(wait, due)
        }
        return wait
    }
}
