internal import EnclaveProtocol

extension GoogleResource {
    /// Path and query below the API's base; nil when a parameter is not what the allow-list says.
    func target() -> String? {
        switch self {
        case .calendarEvents(let timeMin, let timeMax, let maxResults, let pageToken):
            guard let start = UTCTime(timeMin), let end = UTCTime(timeMax), end.seconds > start.seconds,
                end.seconds - start.seconds <= Limits.maximumCalendarSpanSeconds, (1...50).contains(maxResults)
            else { return nil }
            var query = [
                ("singleEvents", "true"), ("orderBy", "startTime"), ("timeMin", timeMin), ("timeMax", timeMax),
                ("maxResults", String(maxResults)), ("fields", Self.calendarFields),
            ]
            if let pageToken {
                guard isName(pageToken, atMost: Limits.maximumPageTokenBytes, extra: "_=+/.-") else { return nil }
                query.append(("pageToken", pageToken))
            }
            return "/calendar/v3/calendars/primary/events" + Self.query(query)
        case .gmailMessages(let days, let unread, let maxResults):
            guard (1...7).contains(days), (1...50).contains(maxResults) else { return nil }
            return "/gmail/v1/users/me/messages"
                + Self.query([
                    ("labelIds", "INBOX"), ("q", "newer_than:\(days)d" + (unread ? " is:unread" : "")),
                    ("maxResults", String(maxResults)),
                ])
        case .gmailMetadata(let id):
            guard isName(id, atMost: Limits.maximumMessageIDBytes, extra: "_-") else { return nil }
            return "/gmail/v1/users/me/messages/\(id)"
                + Self.query(
                    [("format", "metadata")]
                        + ["From", "Subject", "Date", "Content-Type"].map { ("metadataHeaders", $0) })
        }
    }

    private static let calendarFields =
        "items(id,status,summary,start,end,eventType,attendees(self,responseStatus)),nextPageToken"

    private static func query(_ fields: [(String, String)]) -> String {
        "?" + fields.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
    }
}

/// A time as RFC 3339 writes it in UTC, with or without fractions of a second.
struct UTCTime {
    /// Seconds since 1970.
    let seconds: Int

    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (20...32).contains(bytes.count), bytes.last == UInt8(ascii: "Z") else { return nil }
        for (index, separator) in [4: "-", 7: "-", 10: "T", 13: ":", 16: ":"] where bytes[index] != separator.utf8.first
        {
            return nil
        }
        if bytes.count > 20 {
            guard bytes[19] == UInt8(ascii: "."), bytes.count > 21,
                bytes[20..<(bytes.count - 1)].allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
        }
        func number(_ range: Range<Int>, _ allowed: ClosedRange<Int>) -> Int? {
            decimal(String(decoding: bytes[range], as: UTF8.self), in: allowed)
        }
        guard let year = number(0..<4, 1970...9999), let month = number(5..<7, 1...12),
            let day = number(8..<10, 1...31), let hour = number(11..<13, 0...23), let minute = number(14..<16, 0...59),
            let second = number(17..<19, 0...59), day <= Self.days(in: month, year)
        else { return nil }
        seconds = ((Self.daysBefore(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second
    }

    private static func isLeap(_ year: Int) -> Bool {
        year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
    }

    private static func days(in month: Int, _ year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    private static func daysBefore(_ year: Int, _ month: Int) -> Int {
        let past = year - 1
        let leapDays = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400)
        return (year - 1970) * 365 + leapDays + (1..<month).reduce(0) { $0 + days(in: $1, year) }
    }
}
