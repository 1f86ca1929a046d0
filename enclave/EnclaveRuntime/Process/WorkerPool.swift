internal import AttestedSession

/// A bounded pool of threads for calls; at most three quarters of it serve calls that wait for Google.
public final class WorkerPool: Sendable {
    private struct State {
        var local: [@Sendable () -> Void] = []
        var google: [@Sendable () -> Void] = []
        var threads = 0
        var idle = 0
        var googleRunning = 0
        var stopped = false
    }

    private let size: Int
    private let googleLimit: Int
    private let monitor = Monitor(State())

    /// A pool of at most `size` threads, made as they are needed.
    public init(size: Int) {
        self.size = max(4, size)
        googleLimit = self.size * 3 / 4
    }

    /// Queues `job`; whoever submits has bounded how many there can be.
    public func submit(waitsForGoogle: Bool, _ job: @escaping @Sendable () -> Void) {
        var startsThread = false
        monitor.signal { state in
            if waitsForGoogle { state.google.append(job) } else { state.local.append(job) }
            // An idle thread that was woken for an earlier job still counts as idle until it runs.
            let ready = state.local.count + min(state.google.count, googleLimit - state.googleRunning)
            if ready > state.idle, state.threads < size {
                state.threads += 1
                startsThread = true
            }
        }
        if startsThread, !Threads.start({ [self] in work() }) { monitor.withLock { $0.threads -= 1 } }
    }

    /// Lets every thread end once it has nothing to do.
    public func stop() { monitor.withLock(wake: true) { $0.stopped = true } }

    private func work() {
        while let (job, isGoogle) = next() {
            job()
            // The place at Google is free before anyone looks again.
            if isGoogle { monitor.signal { $0.googleRunning -= 1 } }
        }
    }

    private func next() -> (@Sendable () -> Void, Bool)? {
        var waiting = false
        return monitor.wait(until: .distantFuture) { state -> (@Sendable () -> Void, Bool)?? in
            if waiting { state.idle -= 1 }
            waiting = false
            if !state.local.isEmpty { return (state.local.removeFirst(), false) }
            if !state.google.isEmpty, state.googleRunning < googleLimit {
                state.googleRunning += 1
                return (state.google.removeFirst(), true)
            }
            if state.stopped {
                state.threads -= 1
                return .some(nil)
            }
            waiting = true
            state.idle += 1
            return nil
        } ?? nil
    }
}
