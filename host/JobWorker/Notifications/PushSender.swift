import FoundationEssentials
import HostRuntime
import HostStorage
import Synchronization

/// Claims due notifications and sends them side by side.
final class PushSender: Sendable {
    /// Longest sleep: rows of workers that died are looked for this often.
    static let longestWait = Duration.seconds(5)
    /// Longest life of a claim; opening, sending and recording fit in.
    static let lease = Duration.seconds(30)

    let wakeUp = WakeUp()
    private let workerID: String
    private let maximumConcurrency: Int
    private let stores: WorkerStores
    private let enclave: any WorkerEnclave
    private let sending: PushSending
    private let drain: Drain
    private let report: WorkerReport
    private let underWay = Atomic(0)

    init(
        workerID: String, maximumConcurrency: Int, stores: WorkerStores, enclave: any WorkerEnclave,
        sending: PushSending, drain: Drain, report: WorkerReport
    ) {
        self.workerID = workerID
        self.maximumConcurrency = max(1, maximumConcurrency)
        self.stores = stores
        self.enclave = enclave
        self.sending = sending
        self.drain = drain
        self.report = report
    }

    /// Works until the drain begins, then waits for the sends under way.
    func run() async {
        var blocked = Backoff(first: .milliseconds(100), cap: .seconds(2))
        var lastReap: ContinuousClock.Instant?
        await withDiscardingTaskGroup { group in
            while !drain.begun.hasHappened, !Task.isCancelled {
                let wait: Duration
                do throws(StorageError) {
                    await tidy(&lastReap)
                    let claimed = try await claim()
                    for push in claimed { start(push, in: &group) }
                    if !claimed.isEmpty {
                        blocked.reset()
                        continue
                    }
                    let due = try await stores.outbox.timeUntilNextDue() ?? Self.longestWait
                    wait = due > .zero ? min(due, Self.longestWait) : blocked.next()
                } catch {
                    report.storageFailed("outbox", error)
                    wait = blocked.next()
                }
                if await wakeUp.wait(atMost: wait) { blocked.reset() }
            }
        }
    }

    /// A row that cannot be written must not keep the others from being sent.
    private func tidy(_ last: inout ContinuousClock.Instant?) async {
        guard last.map({ $0.duration(to: .now) >= Self.longestWait }) ?? true else { return }
        do throws(StorageError) {
            report.pushesReaped(try await stores.outbox.reap())
            report.pushesExpired(try await stores.outbox.expire())
            last = .now
        } catch {
            report.storageFailed("outbox", error)
        }
    }

    private func claim() async throws(StorageError) -> [ClaimedPush] {
        let free = maximumConcurrency - underWay.load(ordering: .acquiring)
        guard enclave.isAvailable, free > 0, !drain.begun.hasHappened else { return [] }
        return try await stores.outbox.claim(owner: workerID, limit: free, lease: Self.lease)
    }

    private func start(_ push: ClaimedPush, in group: inout DiscardingTaskGroup) {
        underWay.add(1, ordering: .acquiringAndReleasing)
        group.addTask {
            await self.sending.run(push)
            self.underWay.subtract(1, ordering: .acquiringAndReleasing)
            self.wakeUp.signal()
        }
    }
}
