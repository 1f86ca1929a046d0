import HostRuntime
import HostStorage

/// What keeps the queue whole, each at its time: due schedules become jobs, jobs of workers that died come back, parked
/// jobs move up.
///
/// A schedule or a lost job that cannot be written must not keep the other jobs from running, so nothing here throws.
struct Upkeep {
    /// Shortest time between two looks at the schedules.
    private static let scheduleInterval = Duration.milliseconds(100)
    /// How often parked jobs are looked for: one that was parked while the last of those before it ended waits for this,
    /// and is to run within 5 seconds all the same.
    private static let parkedInterval = Duration.seconds(2)

    private let settings: JobEngine.Settings
    private let stores: WorkerStores
    private let report: WorkerReport
    private var nextLeases = ContinuousClock.now
    private var nextParked = ContinuousClock.now
    private var nextSchedules = ContinuousClock.now
    private var lastSchedules = ContinuousClock.now

    init(settings: JobEngine.Settings, stores: WorkerStores, report: WorkerReport) {
        self.settings = settings
        self.stores = stores
        self.report = report
    }

    /// How often leases of dead workers are looked for.
    private var interval: Duration { min(settings.tick, max(.seconds(1), settings.lease / 6)) }

    /// Until something is to be done again.
    var pause: Duration {
        let jobs = min(nextLeases, nextParked)
        let next = settings.schedules == nil ? jobs : min(jobs, nextSchedules)
        return max(.zero, ContinuousClock.now.duration(to: next))
    }

    /// A schedule may have been made.
    mutating func somethingChanged() {
        nextSchedules = min(nextSchedules, lastSchedules + Self.scheduleInterval)
    }

    /// Does what is due; whether jobs may have come out of it.
    mutating func run() async -> Bool {
        var hasMadeWork = false
        if let rhythm = settings.schedules, .now >= nextSchedules { hasMadeWork = await step(rhythm) }
        if .now >= nextLeases {
            nextLeases = .now + interval
            hasMadeWork = await reap() || hasMadeWork
        }
        if .now >= nextParked {
            nextParked = .now + min(settings.tick, Self.parkedInterval)
            hasMadeWork = await promote() || hasMadeWork
        }
        return hasMadeWork
    }

    private mutating func step(_ rhythm: ScheduleRhythm) async -> Bool {
        lastSchedules = .now
        nextSchedules = .now + interval
        do throws(StorageError) {
            guard let next = try await stores.schedules.timeUntilNextDue() else { return false }
            guard next <= .zero else {
                nextSchedules = .now + min(next, interval)
                return false
            }
            let step = try await stores.schedules.stepDue(rhythm)
            report.stepped(step)
            // Rows that others step at this moment are looked at again soon.
            nextSchedules = step.examined > 0 ? .now : .now + Self.scheduleInterval
            return step.enqueued > 0
        } catch {
            report.storageFailed("schedules", error)
            return false
        }
    }

    private func reap() async -> Bool {
        do throws(StorageError) {
            let reaped = try await stores.jobs.reap(policy: settings.policy)
            report.reaped(reaped)
            return reaped.returned > 0
        } catch {
            report.storageFailed("leases", error)
            return false
        }
    }

    private func promote() async -> Bool {
        do throws(StorageError) {
            return try await stores.jobs.promoteParked() > 0
        } catch {
            report.storageFailed("parked", error)
            return false
        }
    }
}
