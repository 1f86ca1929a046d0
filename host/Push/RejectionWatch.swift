import HostRuntime
import Synchronization

/// Tells a device with a bad token from a provider whose topic or key makes every token look bad.
final class RejectionWatch: Sendable {
    /// Fewer sends than this prove nothing.
    static let minimumSends = 20
    /// Minutes that are looked back.
    static let minutes: Int64 = 10

    private struct Minute {
        var sends = 0
        var rejected = 0
    }

    private let state = Mutex<[PushEnvironment: [Int64: Minute]]>([:])
    private let start: ContinuousClock.Instant
    private let now: @Sendable () -> ContinuousClock.Instant
    private let metrics: MetricsRegistry
    private let log: HostLog?

    init(
        metrics: MetricsRegistry, log: HostLog?, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.metrics = metrics
        self.log = log
        self.now = now
        start = now()
    }

    /// Counts one send; whether at least half of the last ten minutes' were rejected.
    func saw(rejection isRejected: Bool, in environment: PushEnvironment) -> Bool {
        let minute = start.duration(to: now()).components.seconds / 60
        let (isStorm, isNew) = state.withLock { state in
            let wasStorm = Self.isStorm(state[environment] ?? [:])
            var minutes = (state[environment] ?? [:]).filter { $0.key > minute - Self.minutes }
            minutes[minute, default: Minute()].sends += 1
            if isRejected { minutes[minute, default: Minute()].rejected += 1 }
            state[environment] = minutes
            let isStorm = Self.isStorm(minutes)
            return (isStorm, isStorm && !wasStorm)
        }
        metrics.set(.pushTokenRejectionStorm, [.environment: environment.rawValue], to: isStorm ? 1 : 0)
        if isNew {
            log?.event("push_token_rejection_storm", .error, [LogField(.environment, environment.rawValue)])
        }
        return isStorm
    }

    private static func isStorm(_ minutes: [Int64: Minute]) -> Bool {
        let sends = minutes.values.reduce(0) { $0 + $1.sends }
        let rejected = minutes.values.reduce(0) { $0 + $1.rejected }
        return sends >= minimumSends && 2 * rejected >= sends
    }
}
