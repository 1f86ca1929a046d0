import FoundationEssentials
import HostRuntime
import HostStorage
import Synchronization

/// Claims due jobs and runs them side by side, and sees to it now and then that everything due can be claimed.
///
/// It sleeps until the earliest of a notification, the next due time, the end of a job and the tick.
final class JobEngine: Sendable {
    /// Shortest and longest wait while due jobs are there that cannot be claimed now: an end of a job here is noticed at
    /// once, one elsewhere within this.
    private static let blockedPause = (first: Duration.milliseconds(20), cap: Duration.milliseconds(250))
    /// While Postgres is away.
    private static let awayPause = (first: Duration.milliseconds(100), cap: Duration.seconds(2))

    /// Longest wait for more free places when more is due than there is room for: claims of many cost less each.
    private static let longestGathering = Duration.milliseconds(2)
    /// Turns that the jobs just begun get before it waits by the clock.
    private static let turns = 32

    struct Settings: Sendable {
        var workerID: String
        var tick: Duration
        var batchSize: Int
        var maximumConcurrency: Int
        var perUserLimit: Int
        var lease: Duration
        var policy: RetryPolicy
        /// Nil: this worker steps no schedules.
        var schedules: ScheduleRhythm?
    }

    let wakeUp = WakeUp()
    private let settings: Settings
    private let places: Places
    private let isGathering = Atomic(false)
    private let hasRoom = WakeUp()
    private let stores: WorkerStores
    private let enclave: any WorkerEnclave
    private let execution: JobExecution
    private let drain: Drain
    private let report: WorkerReport

    init(
        settings: Settings, stores: WorkerStores, enclave: any WorkerEnclave, execution: JobExecution, drain: Drain,
        report: WorkerReport
    ) {
        self.settings = settings
        places = Places(maximum: settings.maximumConcurrency)
        self.stores = stores
        self.enclave = enclave
        self.execution = execution
        self.drain = drain
        self.report = report
    }

    /// Works until the drain begins, then waits for the jobs under way.
    func run() async {
        await withTaskGroup(of: Void.self) { helpers in
            helpers.addTask { await self.execution.running.keep() }
            helpers.addTask { await self.execution.completions.write() }
            helpers.addTask {
                await self.drain.ended.wait()
                if self.drain.ended.hasHappened { self.execution.running.stopAll() }
            }
            await withDiscardingTaskGroup { jobs in await work(in: &jobs) }
            helpers.cancelAll()
        }
    }

    private func work(in jobs: inout DiscardingTaskGroup) async {
        var blocked = Backoff(first: Self.blockedPause.first, cap: Self.blockedPause.cap)
        var away = Backoff(first: Self.awayPause.first, cap: Self.awayPause.cap)
        var upkeep = Upkeep(settings: settings, stores: stores, report: report)
        var isBehind = false
        while !drain.begun.hasHappened, !Task.isCancelled {
            let wait: Duration
            do throws(StorageError) {
                if isBehind { await gatherPlaces() }
                let asked = ContinuousClock.now
                let room = room
                let claimed = try await claim(room)
                isBehind = !claimed.isEmpty && claimed.count == room?.all
                for job in claimed { start(job, claimedAt: asked, in: &jobs) }
                away.reset()
                let hasMadeWork = await upkeep.run()
                if !claimed.isEmpty || hasMadeWork {
                    blocked.reset()
                    continue
                }
                if room == nil {
                    wait = enclave.isAvailable ? upkeep.pause : min(blocked.next(), upkeep.pause)
                } else {
                    let next = try await stores.jobs.nextDue()
                    wait = min(
                        next.isAnyDue ? blocked.next() : upkeep.pause, next.untilNext ?? upkeep.pause, upkeep.pause)
                }
            } catch {
                report.storageFailed("jobs", error)
                wait = away.next()
            }
            // A signal says that something changed: what was blocked may not be any more.
            if await wakeUp.wait(atMost: wait) {
                blocked.reset()
                upkeep.somethingChanged()
            }
        }
    }

    /// What a claim may ask for; nil when nothing may be claimed now.
    private var room: (all: Int, background: Int)? {
        let free = places.free
        // Results that wait to be recorded are bounded too.
        guard enclave.isAvailable, free.all > 0, !drain.begun.hasHappened,
            execution.running.count < 2 * settings.maximumConcurrency
        else { return nil }
        return (min(free.all, settings.batchSize), free.background)
    }

    private func claim(_ room: (all: Int, background: Int)?) async throws(StorageError) -> [ClaimedJob] {
        guard let room else { return [] }
        return try await stores.jobs.claim(
            JobClaim(
                owner: settings.workerID, maximum: room.all, maximumBackground: room.background,
                perUserLimit: settings.perUserLimit, lease: settings.lease))
    }

    /// Places that make a claim worth while, when more is due than there is room for.
    private var isRoomy: Bool {
        places.free.all >= min(settings.batchSize, (settings.maximumConcurrency + 1) / 2)
    }

    private func gatherPlaces() async {
        // Jobs that end at once need no clock.
        for _ in 0..<Self.turns where !isRoomy { await Task.yield() }
        guard !isRoomy else { return }
        isGathering.store(true, ordering: .sequentiallyConsistent)
        if !isRoomy { await hasRoom.wait(atMost: Self.longestGathering) }
        isGathering.store(false, ordering: .sequentiallyConsistent)
    }

    /// A place is free, or the end of a job is recorded. While places are gathered the loop wakes by itself soon.
    private func somethingEnded() {
        if !isGathering.load(ordering: .sequentiallyConsistent) { return wakeUp.signal() }
        if isRoomy { hasRoom.signal() }
    }

    private func start(_ job: ClaimedJob, claimedAt: ContinuousClock.Instant, in jobs: inout DiscardingTaskGroup) {
        let isPrompt = job.lease.type.isPrompt
        places.take(isPrompt: isPrompt)
        execution.running.begin(job.lease, claimedAt: claimedAt)
        jobs.addTask {
            await self.execution.run(job) {
                self.places.giveBack(isPrompt: isPrompt)
                self.somethingEnded()
            }
            // The user's next job waits for the record, not for the place.
            self.somethingEnded()
        }
    }
}
