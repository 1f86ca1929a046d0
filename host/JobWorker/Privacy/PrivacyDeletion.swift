import EnclaveProtocol
import FoundationEssentials
public import HostRuntime
public import HostStorage
public import ServiceLifecycle

/// Erases the users who asked for it, beside all other work.
///
/// Every step can be done again, so a shutdown waits for none: what is under way is handed back at once.
public struct PrivacyDeletion: Service {
    /// While Postgres is away.
    private static let awayPause = (first: Duration.milliseconds(100), cap: Duration.seconds(5))

    /// What it is made of.
    public struct Parts: Sendable {
        public var configuration: WorkerConfiguration
        public var pool: PostgresPool
        public var keys: UserKeys
        public var enclave: any PrivacyEnclave
        public var listener: Listener
        public var log: HostLog
        public var metrics: MetricsRegistry

        public init(
            configuration: WorkerConfiguration, pool: PostgresPool, keys: UserKeys, enclave: any PrivacyEnclave,
            listener: Listener, log: HostLog, metrics: MetricsRegistry
        ) {
            self.configuration = configuration
            self.pool = pool
            self.keys = keys
            self.enclave = enclave
            self.listener = listener
            self.log = log
            self.metrics = metrics
        }
    }

    private let owner = "worker-\(UUID().lowercased)"
    private let settings: PrivacyConfiguration
    private let tick: Duration
    private let policy: RetryPolicy
    private let deletions: PrivacyDeletionRepository
    private let steps: ErasureSteps
    private let listener: Listener
    private let report: PrivacyReport

    public init(_ parts: Parts) {
        let configuration = parts.configuration
        settings = configuration.privacy
        tick = configuration.tick
        policy = RetryPolicy(base: configuration.retryBaseDelay, maximum: configuration.retryMaximumDelay)
        deletions = PrivacyDeletionRepository(parts.pool)
        steps = ErasureSteps(
            deletions: deletions, connectors: ConnectorRepository(parts.pool), keys: parts.keys,
            enclave: parts.enclave, maximumRevocations: settings.maximumRevocations, slaHours: settings.slaHours)
        listener = parts.listener
        report = PrivacyReport(log: parts.log, metrics: parts.metrics)
    }

    /// Works until shutdown.
    public func run() async throws {
        let wakeUp = WakeUp()
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await channel in listener.notifications() where channel == .privacy { wakeUp.signal() }
                }
                group.addTask { await measure() }
                await work(wakeUp)
                group.cancelAll()
            }
        }
    }

    private func work(_ wakeUp: WakeUp) async {
        var away = Backoff(first: Self.awayPause.first, cap: Self.awayPause.cap)
        while !Task.isCancelled {
            var wait = tick
            do throws(StorageError) {
                if try await round() > 0 { continue }
                away.reset()
                wait = min(tick, try await deletions.timeUntilNextDue() ?? tick)
            } catch {
                guard !Task.isCancelled else { return }
                report.storageFailed(error)
                wait = away.next()
            }
            await wakeUp.wait(atMost: wait)
        }
    }

    /// One claim, its requests side by side; answers how many.
    func round() async throws(StorageError) -> Int {
        let leases = try await deletions.claim(owner: owner, limit: settings.batchSize, lease: settings.lease)
        await withDiscardingTaskGroup { group in
            for lease in leases { group.addTask { await erase(lease) } }
        }
        return leases.count
    }

    private func erase(_ lease: PrivacyLease) async {
        let end = await withTaskGroup(of: ErasureSteps.End?.self) { group in
            group.addTask { await steps.run(lease) }
            group.addTask { await keep(lease) ? nil : .leaseLost }
            var end: ErasureSteps.End?
            for await ended in group where end == nil {
                end = ended
                if end != nil { group.cancelAll() }
            }
            return end ?? .leaseLost
        }
        let isCutOff = Task.isCancelled && end != .completed
        // Recorded in any case: by a task that is not cancelled with this one.
        await Task { isCutOff ? await handBack(lease) : await record(end, of: lease) }.value
    }

    /// Until cancelled; `false` when the lease was lost.
    private func keep(_ lease: PrivacyLease) async -> Bool {
        var extended = ContinuousClock.now
        while true {
            do { try await Task.sleep(for: settings.lease / 3) } catch { return true }
            let asked = ContinuousClock.now
            do throws(StorageError) {
                guard try await deletions.heartbeat(lease, extendBy: settings.lease) else { return false }
                extended = asked
            } catch {
                if Task.isCancelled { return true }
                if extended.duration(to: .now) >= settings.lease { return false }
            }
        }
    }

    // MARK: - Recording

    private func handBack(_ lease: PrivacyLease) async {
        do throws(StorageError) { try await deletions.handBack(lease) } catch { report.storageFailed(error) }
    }

    private func record(_ end: ErasureSteps.End, of lease: PrivacyLease) async {
        switch end {
        case .completed: report.completed(lease)
        case .leaseLost: report.leaseLost(lease)
        case .failed(let reason, let countsRevocation, let retryAfter):
            do throws(StorageError) {
                // What cannot be recorded comes back when its lease ends.
                let status = try await deletions.retry(
                    lease, reason: reason, countsRevocation: countsRevocation, policy: policy, retryAfter: retryAfter)
                report.failed(lease, reason, status)
            } catch {
                report.storageFailed(error)
            }
        }
    }

    private func measure() async {
        while !Task.isCancelled {
            if let backlog = try? await deletions.backlog(slaHours: settings.slaHours) { report.waiting(backlog) }
            try? await Task.sleep(for: min(tick, .seconds(30)))
        }
    }
}
