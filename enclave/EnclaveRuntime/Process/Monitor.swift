public import AttestedSession
internal import CLinux
internal import Glibc

/// A value behind a lock, with threads that may wait until it changes (a POSIX mutex and condition).
@safe public final class Monitor<Value>: @unchecked Sendable {
    // Unchecked: `value` is only touched with the mutex held.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var value: Value

    /// A monitor around `value`.
    public init(_ value: consuming sending Value) {
        self.value = value
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Lends the value; every waiting thread looks again afterwards when `wake` says so.
    public func withLock<R, E: Error>(wake: Bool = false, _ body: (inout Value) throws(E) -> R) throws(E) -> R {
        unsafe pthread_mutex_lock(mutex)
        defer {
            if wake { unsafe pthread_cond_broadcast(condition) }
            unsafe pthread_mutex_unlock(mutex)
        }
        return try body(&value)
    }

    /// Changes the value and wakes one waiting thread.
    public func signal(_ body: (inout Value) -> Void) {
        unsafe pthread_mutex_lock(mutex)
        body(&value)
        unsafe pthread_cond_signal(condition)
        unsafe pthread_mutex_unlock(mutex)
    }

    /// Waits until `body` returns a value; nil when `deadline` passes first.
    public func wait<R>(until deadline: MonotonicInstant, _ body: (inout Value) -> R?) -> R? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        var time = timespec()
        time.tv_sec = Int(min(deadline.nanoseconds / 1_000_000_000, UInt64(Int32.max)))
        time.tv_nsec = Int(deadline.nanoseconds % 1_000_000_000)
        while true {
            if let result = body(&value) { return result }
            if unsafe pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return body(&value) }
        }
    }
}

/// Starts threads with small stacks; everything that blocks runs on one of these.
public enum Threads {
    private static let stackBytes = 512 * 1024

    /// Lets the calling thread rest.
    public static func sleep(milliseconds: Int) { usleep(UInt32(clamping: max(0, milliseconds) * 1000)) }

    /// Runs `body` on a thread of its own; false when the system has no thread left.
    @discardableResult
    public static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, stackBytes)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let argument = unsafe Unmanaged.passRetained(ThreadBody(body)).toOpaque()
        if unsafe pthread_create(&thread, &attributes, runThread, argument) == 0 { return true }
        unsafe Unmanaged<ThreadBody>.fromOpaque(argument).release()
        return false
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument = unsafe argument { unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run() }
    return nil
}
