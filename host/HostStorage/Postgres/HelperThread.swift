internal import CLinux
import Glibc

/// A plain thread for C that blocks, outside the cooperative pool.
enum HelperThread {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Starts a detached thread; `false` when the system has none left.
    static func start(_ run: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        unsafe pthread_attr_setstacksize(&attributes, StorageLimits.threadStack)
        var thread = pthread_t()
        let body = unsafe Unmanaged.passRetained(Body(run))
        let result = unsafe pthread_create(&thread, &attributes, Self.enter, body.toOpaque())
        if result != 0 { unsafe body.release() }
        return result == 0
    }

    private static let enter: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        guard let argument = unsafe argument else { return nil }
        unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        return nil
    }

    /// Runs a blocking closure on a thread of its own and waits for it without blocking the caller's.
    static func run<Value: Sendable>(
        _ body: @escaping @Sendable () -> Result<Value, StorageError>
    ) async throws(StorageError) -> Value {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<Value, StorageError>, Never>) in
            if !start({ continuation.resume(returning: body()) }) {
                continuation.resume(returning: .failure(.unavailable))
            }
        }
        return try result.get()
    }
}

/// Monotonic nanoseconds.
struct Instant: Comparable, Sendable {
    var nanoseconds: UInt64

    static var now: Instant {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    func advanced(by duration: Duration) -> Instant { Instant(nanoseconds: nanoseconds &+ duration.wholeNanoseconds) }

    /// Milliseconds from `other` to here, rounded up, not below zero.
    func milliseconds(since other: Instant) -> Int32 {
        guard self > other else { return 0 }
        return Int32(clamping: (nanoseconds - other.nanoseconds + 999_999) / 1_000_000)
    }
}

extension Duration {
    var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(clamping: seconds) * 1_000_000_000 + UInt64(clamping: attoseconds / 1_000_000_000)
    }

    var wholeMilliseconds: Int { Int(clamping: wholeNanoseconds / 1_000_000) }

    /// Seconds with their fraction, for `make_interval`.
    var inSeconds: Double { Double(wholeNanoseconds) / 1_000_000_000 }
}
