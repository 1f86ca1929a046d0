import HostRuntime
import Synchronization

/// Ends requests that take too long. One sleeping task watches over all of them: a timer for each costs as much as a small
/// request itself.
final class RequestDeadlines: Sendable {
    private struct Entry {
        let deadline: ContinuousClock.Instant
        let cancel: @Sendable () -> Void
    }

    private struct State {
        var last: UInt64 = 0
        var open: [UInt64: Entry] = [:]
        var isWatched = false
    }

    private let limit: Duration
    private let state = Mutex(State())

    /// `limit` is the longest time of one request; how late its end may be noticed is a tenth of that, at most 100 ms.
    init(limit: Duration) { self.limit = limit }

    private var resolution: Duration { min(limit / 10, .milliseconds(100)) }

    /// Runs `work`, cancels it when its time is over and then throws; returns only when `work` has ended. Work for a client
    /// that has gone is cancelled too, where `presence` is given.
    func run<Value: Sendable>(
        on executor: any TaskExecutor, presence: ClientPresence? = nil, _ work: @escaping @Sendable () async -> Value
    ) async throws(DeadlineExceeded) -> Value {
        let task = Task(executorPreference: executor) { await work() }
        let id = watch { task.cancel() }
        presence?.watch { task.cancel() }
        defer { presence?.unwatch() }
        let value = await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
        // Whoever is no longer in the list was cancelled.
        guard state.withLock({ $0.open.removeValue(forKey: id) }) != nil else { throw DeadlineExceeded() }
        return value
    }

    private func watch(_ cancel: @escaping @Sendable () -> Void) -> UInt64 {
        let deadline = ContinuousClock.now + limit
        let (id, mustStart) = state.withLock { state in
            state.last += 1
            state.open[state.last] = Entry(deadline: deadline, cancel: cancel)
            defer { state.isWatched = true }
            return (state.last, !state.isWatched)
        }
        if mustStart { Task { await watchAll() } }
        return id
    }

    /// Until no request is left.
    private func watchAll() async {
        while true {
            try? await Task.sleep(for: resolution)
            let now = ContinuousClock.now
            let (late, isLast) = state.withLock { state in
                let late = state.open.filter { $0.value.deadline <= now }
                for id in late.keys { state.open[id] = nil }
                state.isWatched = !state.open.isEmpty
                return (late.values.map(\.cancel), state.open.isEmpty)
            }
            for cancel in late { cancel() }
            if isLast { return }
        }
    }
}
