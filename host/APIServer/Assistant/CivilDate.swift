import Foundation

/// A date of the Gregorian calendar, without a time zone.
struct CivilDate: Sendable, Hashable, Comparable {
    /// Days since 1970-01-01.
    let day: Int

    init(day: Int) { self.day = day }

    /// The date that the wall clock of `zone` shows at `instant`.
    init(of instant: Date, in zone: TimeZone) {
        let local = instant.timeIntervalSince1970 + Double(zone.secondsFromGMT(for: instant))
        self.init(day: Int((local / 86400).rounded(.down)))
    }

    /// Nil for a date that is in no year, like February 30.
    init?(year: Int, month: Int, day: Int) {
        guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        // Years that begin in March end with the leap day (Hinnant, "chrono-compatible low-level date algorithms").
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        self.init(day: era * 146_097 + dayOfEra - 719_468)
        guard components == (year, month, day) else { return nil }
    }

    /// `YYYY-MM-DD`.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [4, 2, 2], parts.allSatisfy({ $0.utf8.allSatisfy(\.isDigit) }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2])
        else { return nil }
        self.init(year: year, month: month, day: day)
    }

    var components: (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1
        )
    }

    /// Monday is 0.
    var weekday: Int { ((day + 3) % 7 + 7) % 7 }

    /// `YYYY-MM-DD`.
    var text: String {
        let (year, month, day) = components
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    func advanced(by days: Int) -> CivilDate { CivilDate(day: day + days) }

    static func < (left: CivilDate, right: CivilDate) -> Bool { left.day < right.day }

    /// The first instant of the date in `zone`: midnight, or the end of a gap in which midnight lies.
    func firstInstant(in zone: TimeZone) -> Date {
        let midnight = Double(day) * 86400
        func offset(_ seconds: Double) -> Double {
            Double(zone.secondsFromGMT(for: Date(timeIntervalSince1970: seconds)))
        }
        let (before, after) = (offset(midnight - 86400), offset(midnight + 86400))
        for candidate in [midnight - max(before, after), midnight - min(before, after)]
        where candidate + offset(candidate) == midnight {
            return Date(timeIntervalSince1970: candidate)
        }
        // Midnight was skipped: the instant at which the clocks went forward.
        var (low, high) = (Int(midnight - max(before, after)), Int(midnight - min(before, after)))
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(Double(middle)) == before { low = middle } else { high = middle }
        }
        return Date(timeIntervalSince1970: Double(high))
    }

    /// From the first instant of the date to the first of the next.
    func interval(in zone: TimeZone) -> Range<Date> {
        let start = firstInstant(in: zone)
        return start..<max(start, advanced(by: 1).firstInstant(in: zone))
    }
}

extension UInt8 {
    /// An ASCII digit.
    fileprivate var isDigit: Bool { (0x30...0x39).contains(self) }
}
