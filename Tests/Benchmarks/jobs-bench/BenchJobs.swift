import Foundation
import HostStorage
import JobWorker
import Synchronization

/// Jobs did not come in time.
struct TimeIsUp: Error {}

private let result = JobResult.done(JobEffect(outcome: "no_notification"))

/// Does nothing, and counts.
final class CountingJob: JobHandler {
    private let expected: Int
    private let count = Atomic(0)

    init(expected: Int) { self.expected = expected }

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        count.add(1, ordering: .relaxed)
        return result
    }

    func wait() async throws {
        let deadline = ContinuousClock.now + .seconds(300)
        while count.load(ordering: .relaxed) < expected {
            guard ContinuousClock.now < deadline else { throw TimeIsUp() }
            try await Task.sleep(for: .milliseconds(2))
        }
    }
}

/// Notes when each job was enqueued and when its code began.
final class TimingJob: JobHandler {
    private struct State {
        var begun: [UUID: ContinuousClock.Instant] = [:]
        var milliseconds: [Double] = []
    }

    private let state = Mutex(State())

    func enqueued(_ job: UUID) { state.withLock { $0.begun[job] = .now } }

    func run(_ job: ClaimedJob) async throws(JobStop) -> JobResult {
        let now = ContinuousClock.now
        state.withLock { state in
            guard let begin = state.begun.removeValue(forKey: job.lease.job) else { return }
            state.milliseconds.append(begin.duration(to: now).seconds * 1000)
        }
        return result
    }

    /// All delays in order, when `count` jobs have begun.
    func delays(_ count: Int) async throws -> [Double] {
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let delays = state.withLock { $0.milliseconds }
            if delays.count >= count { return delays.sorted() }
            guard ContinuousClock.now < deadline else { throw TimeIsUp() }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
