import Foundation
import HostStorage

/// The hours of the user's wall clock in which nothing is shown.
struct QuietHours: Sendable, Equatable {
    /// Minutes since midnight.
    private let start: Int
    private let end: Int
    private let timeZone: TimeZone

    /// Nil unless both are `HH:MM`; an unknown time zone counts as UTC.
    init?(start: String, end: String, timeZone: String) {
        guard let start = Self.minutes(start), let end = Self.minutes(end) else { return nil }
        self.start = start
        self.end = end
        self.timeZone = TimeZone(identifier: timeZone) ?? .gmt
    }

    init?(_ preferences: Preferences) {
        self.init(
            start: preferences.quietHoursStart, end: preferences.quietHoursEnd, timeZone: preferences.timeZone)
    }

    private var calendar: Calendar {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = timeZone
        return calendar
    }

    /// The start belongs to them, the end does not; none when both are the same.
    func contains(_ date: Date) -> Bool {
        let clock = calendar.dateComponents([.hour, .minute], from: date)
        let minute = (clock.hour ?? 0) * 60 + (clock.minute ?? 0)
        return start <= end ? (start..<end).contains(minute) : minute >= start || minute < end
    }

    /// The first instant after `date` at which the wall clock says their end.
    func end(after date: Date) -> Date {
        let clock = DateComponents(hour: end / 60, minute: end % 60, second: 0)
        return calendar.nextDate(after: date, matching: clock, matchingPolicy: .nextTime)
            ?? date.addingTimeInterval(86_400)
    }

    private static func minutes(_ text: String) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }), let hour = Int(parts[0]),
            let minute = Int(parts[1]), (0..<24).contains(hour), (0..<60).contains(minute)
        else { return nil }
        return hour * 60 + minute
    }
}
