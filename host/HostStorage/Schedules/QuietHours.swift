public import FoundationEssentials
import HostRuntime

/// The hours of the user's wall clock in which nothing is shown.
public struct QuietHours: Sendable {
    /// Minutes since midnight.
    private let start: Int
    private let end: Int
    private let clock: WallClock

    /// Nil unless both are `HH:MM`; an unknown time zone counts as UTC.
    public init?(start: String, end: String, timeZone: String) {
        guard let start = WallClock.minutes(start), let end = WallClock.minutes(end) else { return nil }
        self.start = start
        self.end = end
        clock = WallClock(timeZone: timeZone)
    }

    public init?(_ preferences: Preferences) {
        self.init(
            start: preferences.quietHoursStart, end: preferences.quietHoursEnd, timeZone: preferences.timeZone)
    }

    /// The start belongs to them, the end does not; none when both are the same.
    public func contains(_ date: Date) -> Bool {
        let minute = clock.reading(at: date).minutes
        return start <= end ? (start..<end).contains(minute) : minute >= start || minute < end
    }

    /// The first instant after `date` at which the wall clock says their end.
    public func end(after date: Date) -> Date { clock.next(after: date, minutes: end).instant }
}
