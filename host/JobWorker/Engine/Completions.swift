import FoundationEssentials
import HostStorage
import Synchronization

/// Ends executions without an effect many at a time: while one statement is under way, the next one gathers, and a
/// little longer when the last one had many.
final class Completions: Sendable {
    /// Most of one statement.
    static let largestBatch = 250
    /// Longest wait for more.
    private static let gathering = Duration.milliseconds(1)
    /// Ends that come faster than this many at a time are gathered.
    private static let many = 4

    private struct Waiting {
        let lease: JobLease
        let outcome: String
        let continuation: CheckedContinuation<Result<Bool, StorageError>, Never>
    }

    private struct State {
        var waiting: [Waiting] = []
        var isOver = false
    }

    private let jobs: JobRepository
    private let wakeUp = WakeUp()
    private let state = Mutex(State())

    init(jobs: JobRepository) { self.jobs = jobs }

    /// Whether the end was recorded: the lease was still held.
    func finish(_ lease: JobLease, outcome: String) async throws(StorageError) -> Bool {
        try await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver {
                    state.waiting.append(Waiting(lease: lease, outcome: outcome, continuation: continuation))
                }
                return state.isOver
            }
            if isOver { continuation.resume(returning: .failure(.cancelled)) } else { wakeUp.signal() }
        }.get()
    }

    /// Writes until cancelled; then nothing more can be recorded.
    func write() async {
        var last = 0
        while !Task.isCancelled {
            let count = state.withLock { $0.waiting.count }
            guard count > 0 else {
                await wakeUp.waitForSignal()
                continue
            }
            if last >= Self.many, count < last / 2 { try? await Task.sleep(for: Self.gathering) }
            let batch = take()
            last = batch.count
            await write(batch)
        }
        let rest = state.withLock { state in
            state.isOver = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for item in rest { item.continuation.resume(returning: .failure(.cancelled)) }
    }

    private func take() -> [Waiting] {
        state.withLock { state in
            let batch = Array(state.waiting.prefix(Self.largestBatch))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }

    private func write(_ batch: [Waiting]) async {
        do throws(StorageError) {
            let recorded = try await jobs.finish(batch.map { ($0.lease, $0.outcome) })
            for item in batch { item.continuation.resume(returning: .success(recorded.contains(item.lease.job))) }
        } catch {
            for item in batch { item.continuation.resume(returning: .failure(error)) }
        }
    }
}
