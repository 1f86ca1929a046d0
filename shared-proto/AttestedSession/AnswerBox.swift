internal import CLinux
internal import Synchronization

/// Hands one answer from the I/O thread to a thread that waits for it.
@safe final class AnswerBox: @unchecked Sendable {
    // Unchecked: the semaphore's memory has a fixed address and is made for use by several threads.

    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private let answer = Mutex<Result<[UInt8], CallFailure>?>(nil)

    init() { unsafe sem_init(semaphore, 0, 0) }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    func put(_ result: Result<[UInt8], CallFailure>) {
        answer.withLock { $0 = $0 ?? result }
        unsafe sem_post(semaphore)
    }

    /// Waits for the answer; the session answers every call by its deadline, so `giveUp` is for a session that hangs.
    func take(before deadline: MonotonicInstant, giveUp: () -> Void) -> Result<[UInt8], CallFailure> {
        var time = timespec()
        time.tv_sec = Int(deadline.nanoseconds / 1_000_000_000)
        time.tv_nsec = Int(deadline.nanoseconds % 1_000_000_000)
        while unsafe alfred_semaphore_wait(semaphore, &time) != 0, MonotonicInstant.now < deadline {}
        if let result = answer.withLock({ $0 }) { return result }
        giveUp()
        return answer.withLock { $0 } ?? .failure(.timedOut)
    }
}
