public import AttestedSession
public import EnclaveProtocol
internal import Synchronization

/// Counts what one user id may cost in a minute, whatever the role that asks.
///
/// A user's minute begins with the first use. A host that invents user ids finds the table full, not forgetful.
public final class UserLimiter: Sendable {
    private struct Minute {
        var start: MonotonicInstant
        var used: Int
    }

    private struct State {
        var minutes: [UserID: Minute] = [:]
        var nextSweep = MonotonicInstant(nanoseconds: 0)
    }

    private static let windowSeconds = 60
    private let limit: Int
    private let maximumUsers: Int
    private let now: @Sendable () -> MonotonicInstant
    private let state = Mutex(State())

    /// A limiter of `limit` uses per user and minute, for at most `maximumUsers` users in one minute.
    public init(
        limit: Int, maximumUsers: Int = 100_000, now: @escaping @Sendable () -> MonotonicInstant = { .now }
    ) {
        self.limit = limit
        self.maximumUsers = maximumUsers
        self.now = now
    }

    /// Takes `count` uses of `user`; false, and nothing taken, when they are not left.
    public func take(_ count: Int = 1, of user: UserID) -> Bool {
        let now = now()
        return state.withLock { state in
            if now >= state.nextSweep {
                state.nextSweep = now.advanced(bySeconds: Self.windowSeconds)
                state.minutes = state.minutes.filter { Self.isCurrent($0.value, now) }
            }
            guard var minute = state.minutes[user], Self.isCurrent(minute, now) else {
                guard count <= limit, state.minutes[user] != nil || state.minutes.count < maximumUsers else {
                    return false
                }
                state.minutes[user] = Minute(start: now, used: count)
                return true
            }
            guard minute.used + count <= limit else { return false }
            minute.used += count
            state.minutes[user] = minute
            return true
        }
    }

    private static func isCurrent(_ minute: Minute, _ now: MonotonicInstant) -> Bool {
        now < minute.start.advanced(bySeconds: windowSeconds)
    }
}
