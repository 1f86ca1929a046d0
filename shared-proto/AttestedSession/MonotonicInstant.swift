internal import CLinux

/// A point on the system's monotonic clock; deadlines and ages are kept in these, never in wall-clock time.
public struct MonotonicInstant: Comparable, Hashable, Sendable {
    /// Nanoseconds since an arbitrary start, the same for all processes until the machine restarts.
    public let nanoseconds: UInt64

    /// A point `nanoseconds` after the clock's start.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The present.
    public static var now: MonotonicInstant {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicInstant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// Later than everything else.
    public static let distantFuture = MonotonicInstant(nanoseconds: .max)

    /// The point `seconds` later; negative values go back, not before the clock's start.
    public func advanced(bySeconds seconds: Int) -> MonotonicInstant {
        advanced(byMilliseconds: seconds.multipliedReportingOverflow(by: 1000).partialValue)
    }

    /// The point `milliseconds` later; negative values go back, not before the clock's start.
    public func advanced(byMilliseconds milliseconds: Int) -> MonotonicInstant {
        let distance = milliseconds.magnitude.multipliedReportingOverflow(by: 1_000_000)
        let span = distance.overflow ? UInt64.max : UInt64(distance.partialValue)
        if milliseconds >= 0 {
            let sum = nanoseconds.addingReportingOverflow(span)
            return MonotonicInstant(nanoseconds: sum.overflow ? .max : sum.partialValue)
        }
        return MonotonicInstant(nanoseconds: nanoseconds > span ? nanoseconds - span : 0)
    }

    /// Whole milliseconds from now until this point, rounded up; 0 when it has passed.
    public var remainingMilliseconds: Int { milliseconds(after: .now) }

    /// Whole milliseconds from `start` until this point, rounded up; 0 when it is not later.
    public func milliseconds(after start: MonotonicInstant) -> Int {
        guard self > start else { return 0 }
        return Int(min((nanoseconds - start.nanoseconds - 1) / 1_000_000 + 1, UInt64(Int32.max)))
    }

    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}
