extension DERReader {
    /// UTCTime until 2049, GeneralizedTime after it, both in UTC with seconds (RFC 5280 section 4.1.2.5): unix seconds.
    mutating func time(_ what: String) throws(DERError) -> UInt64 {
        let isGeneralized = nextTag == 0x18
        let text = Array(try content(isGeneralized ? 0x18 : 0x17, what))
        let yearDigits = isGeneralized ? 4 : 2
        guard text.count == yearDigits + 11, text.last == UInt8(ascii: "Z"),
            text.dropLast().allSatisfy({ (0x30...0x39).contains($0) })
        else { throw DERError(what: "\(what): not of the form YYMMDDhhmmssZ or YYYYMMDDhhmmssZ") }
        func number(_ offset: Int, _ count: Int = 2) -> Int {
            text[offset..<(offset + count)].reduce(0) { $0 * 10 + Int($1 - 0x30) }
        }
        let stated = number(0, yearDigits)
        let year = isGeneralized ? stated : stated + (stated < 50 ? 2000 : 1900)
        let month = number(yearDigits)
        let day = number(yearDigits + 2)
        let (hour, minute, second) = (number(yearDigits + 4), number(yearDigits + 6), number(yearDigits + 8))
        guard (1970...9999).contains(year), isGeneralized == (year >= 2050), (1...12).contains(month),
            (1...Calendar.days(in: month, of: year)).contains(day), hour < 24, minute < 60, second < 60
        else { throw DERError(what: "\(what): no such date, or in the wrong form for its year") }
        let days =
            Calendar.days(before: year) + (1..<month).reduce(0) { $0 + Calendar.days(in: $1, of: year) } + day - 1
        return UInt64(((days * 24 + hour) * 60 + minute) * 60 + second)
    }
}

/// The proleptic Gregorian calendar, as far as certificates need it.
enum Calendar {
    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days from 1970-01-01 to the first day of `year`.
    static func days(before year: Int) -> Int {
        func leaps(_ year: Int) -> Int { year / 4 - year / 100 + year / 400 }
        return 365 * (year - 1970) + leaps(year - 1) - leaps(1969)
    }

    /// The date so many days after 1970-01-01.
    static func date(days: Int) -> (year: Int, month: Int, day: Int) {
        var year = 1970 + days / 366
        while self.days(before: year + 1) <= days { year += 1 }
        var rest = days - self.days(before: year)
        var month = 1
        while rest >= self.days(in: month, of: year) {
            rest -= self.days(in: month, of: year)
            month += 1
        }
        return (year, month, rest + 1)
    }
}
