import Foundation

/// An actor's executor on one thread of its own, for actors whose C calls block.
///
/// The thread starts with the first job and ends with `stop()` or with the executor; a job that comes after `stop()`
/// starts a new one, so none is lost and never two run at once.
public final class BlockingThread: SerialExecutor {
    private let queue: JobQueue

    public init(name: String) {
        queue = JobQueue(name: name)
    }

    deinit {
        queue.stop()
    }

    /// Ends the thread once the jobs already queued have run.
    public func stop() {
        queue.stop()
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        queue.append(UnownedJob(job), on: self)
    }
}

/// The jobs of one executor; the condition guards every other property.
private final class JobQueue: @unchecked Sendable {
    private let condition = NSCondition()
    private let name: String
    private var jobs: [(job: UnownedJob, executor: BlockingThread)] = []
    private var isRunning = false
    private var isStopping = false

    init(name: String) {
        self.name = name
    }

    func append(_ job: UnownedJob, on executor: BlockingThread) {
        condition.lock()
        jobs.append((job, executor))
        isStopping = false
        let starts = !isRunning
        isRunning = true
        condition.signal()
        condition.unlock()
        guard starts else { return }
        let thread = Thread { [self] in run() }
        thread.name = String(name.prefix(15))
        thread.stackSize = 1 << 20
        thread.start()
    }

    func stop() {
        condition.lock()
        isStopping = true
        condition.signal()
        condition.unlock()
    }

    private func run() {
        while let batch = nextBatch() {
            for (job, executor) in batch {
                unsafe job.runSynchronously(on: executor.asUnownedSerialExecutor())
            }
        }
    }

    private func nextBatch() -> [(job: UnownedJob, executor: BlockingThread)]? {
        condition.lock()
        defer { condition.unlock() }
        while jobs.isEmpty {
            if isStopping {
                isRunning = false
                return nil
            }
            condition.wait()
        }
        let batch = jobs
        jobs = []
        return batch
    }
}
