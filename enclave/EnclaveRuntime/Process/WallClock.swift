internal import AttestedSession
internal import Glibc
internal import Synchronization

/// The enclave's idea of the time of day.
///
/// The parent's hypervisor sets a guest's clock; the secure module's timestamp is the better source. Once it was told
/// one, time goes on from there with the monotonic clock.
enum WallClock {
    /// Unix milliseconds at the monotonic clock's start; 0 while the system's clock is used.
    private static let start = Atomic<UInt64>(0)

    /// It is `unixMilliseconds` now.
    static func set(unixMilliseconds: UInt64) {
        let monotonic = MonotonicInstant.now.nanoseconds / 1_000_000
        start.store(unixMilliseconds > monotonic ? unixMilliseconds - monotonic : 0, ordering: .relaxed)
    }

    /// Unix seconds.
    static var now: UInt64 {
        let start = start.load(ordering: .relaxed)
        if start == 0 { return UInt64(max(0, time(nil))) }
        return (start + MonotonicInstant.now.nanoseconds / 1_000_000) / 1000
    }
}

/// Unix seconds.
func wallClock() -> UInt64 { WallClock.now }
