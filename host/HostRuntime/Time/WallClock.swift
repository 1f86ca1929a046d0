public import Foundation

/// What clocks on the wall of one time zone show, and when.
///
/// A local time is the first instant at which the wall clock shows it or, where the clock jumps over it, something later:
/// a time inside a gap means the end of the gap, a time that comes twice its first coming.
public struct WallClock: Sendable {
    /// Farther than any zone is from UTC, and than any jump over the date line.
    private static let farthest = 26 * 3600
    /// More changes than any zone has in the days looked at.
    private static let mostChanges = 16

    private let zone: TimeZone

    /// An unknown name counts as UTC.
    public init(timeZone name: String) { zone = TimeZone(identifier: name) ?? .gmt }

    /// Minutes since midnight of `HH:MM`.
    public static func minutes(_ text: String) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }), let hour = Int(parts[0]),
            let minute = Int(parts[1]), (0..<24).contains(hour), (0..<60).contains(minute)
        else { return nil }
        return hour * 60 + minute
    }

    /// The date and the minutes since midnight shown at an instant.
    public func reading(at date: Date) -> (day: LocalDay, minutes: Int) {
        let wall = Int(date.timeIntervalSince1970.rounded(.down)) + zone.secondsFromGMT(for: date)
        let day = Int((Double(wall) / 86_400).rounded(.down))
        return (LocalDay(number: day), (wall - day * 86_400) / 60)
    }

    /// `HH:MM` as shown at an instant.
    public func text(at date: Date) -> String {
        let minutes = reading(at: date).minutes
        let hour = minutes / 60
        let rest = minutes % 60
        return (hour < 10 ? "0" : "") + "\(hour):" + (rest < 10 ? "0" : "") + "\(rest)"
    }

    /// The local day: from its first instant to the first one of the next day; nil for a date that was jumped over.
    public func bounds(of day: LocalDay) -> (start: Date, end: Date)? {
        let start = firstInstant(showing: day.number * 86_400)
        let end = firstInstant(showing: (day.number + 1) * 86_400)
        return start < end ? (start, end) : nil
    }

    /// When it is `minutes` past midnight on a date; nil for a date that was jumped over.
    public func instant(on day: LocalDay, minutes: Int) -> Date? {
        bounds(of: day) == nil ? nil : firstInstant(showing: day.number * 86_400 + minutes * 60)
    }

    /// The first time after an instant that it is `minutes` past midnight, with its date.
    public func next(after date: Date, minutes: Int) -> (day: LocalDay, instant: Date) {
        let today = reading(at: date).day
        // The second of two dates may be one that was jumped over, so there is one in four days.
        for offset in 0..<4 {
            let day = today.adding(offset)
            if let instant = instant(on: day, minutes: minutes), instant > date { return (day, instant) }
        }
        return (today.adding(1), date.addingTimeInterval(86_400))
    }

    /// The first instant at which the wall clock shows `wall` (seconds since 1970 as if it were UTC) or later.
    private func firstInstant(showing wall: Int) -> Date {
        var start = Date(timeIntervalSince1970: Double(wall - Self.farthest))
        for _ in 0..<Self.mostChanges {
            let shown = Date(timeIntervalSince1970: Double(wall - zone.secondsFromGMT(for: start)))
            let found = max(start, shown)
            guard let change = zone.nextDaylightSavingTimeTransition(after: start), change <= found else {
                return found
            }
            start = change
        }
        return Date(timeIntervalSince1970: Double(wall))
    }
}
