import EnclaveProtocol
import FoundationEssentials
import HostRuntime
import HostStorage
import Synchronization

/// What erasing users tells logs and metrics; a request appears by its id, which is its call's id too.
final class PrivacyReport: Sendable {
    /// Between two lines about requests that are overdue.
    static let overduePause = Duration.seconds(300)

    private let log: HostLog
    private let metrics: MetricsRegistry
    private let lastOverdue = Mutex<ContinuousClock.Instant?>(nil)

    init(log: HostLog, metrics: MetricsRegistry) {
        self.log = log
        self.metrics = metrics
    }

    private func line(_ lease: PrivacyLease) -> HostLog {
        log.with(requestID: RequestID(lease.request.lowercased), trace: nil)
    }

    func completed(_ lease: PrivacyLease) {
        line(lease).event("privacy_delete_completed", .info, [LogField(.attempts, lease.attempts + 1)])
    }

    func leaseLost(_ lease: PrivacyLease) {
        metrics.increment(.leaseLost, [.queue: "privacy"])
        line(lease).event("privacy_delete_lease_lost", .warn)
    }

    /// After too many tries it wants an operator, and says so at every further one.
    func failed(_ lease: PrivacyLease, _ reason: String, _ status: PrivacyRequestStatus?) {
        guard let status else { return leaseLost(lease) }
        line(lease).event(
            "privacy_delete_failed", status == .failed ? .error : .warn,
            [
                LogField(.reason, reason), LogField(.attempts, lease.attempts + 1),
                LogField(.status, status.rawValue),
            ])
    }

    func storageFailed(_ error: StorageError) {
        log.event("storage_failed", .warn, [LogField(.queue, "privacy"), LogField(.reason, error.word)])
    }

    func waiting(_ backlog: PrivacyBacklog) {
        metrics.set(.privacyDeleteOpen, to: Double(backlog.open))
        metrics.set(.privacyDeleteOverdue, to: Double(backlog.overdue))
        metrics.set(.privacyDeleteOldest, to: backlog.oldest.inSeconds)
        metrics.set(.pendingRevocations, to: Double(backlog.pendingRevocations))
        let isDue = lastOverdue.withLock { last in
            guard backlog.overdue > 0, last.map({ $0 + Self.overduePause <= .now }) ?? true else { return false }
            last = .now
            return true
        }
        guard isDue else { return }
        log.event("privacy_delete_overdue", .error, [LogField(.count, backlog.overdue)])
    }
}
