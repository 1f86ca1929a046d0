import Foundation
import HostRuntime
import LLMGateway

/// An event of Google's calendar, as far as reminders need it.
struct CalendarEvent: Sendable, Equatable {
    let id: String
    let title: String
    let status: String?
    let type: String?
    /// Nil for an all-day event.
    let start: Date?
    let end: Date?
    /// Dates of an all-day event, `YYYY-MM-DD`: the first, and the one after the last.
    var days: (first: String, end: String)?
    /// The user's own answer to the invitation, if there is one.
    let ownResponse: String?
    var attendeeCount = 0

    static func == (left: Self, right: Self) -> Bool {
        left.id == right.id && left.title == right.title && left.status == right.status && left.type == right.type
            && left.start == right.start && left.end == right.end && left.ownResponse == right.ownResponse
            && left.days?.first == right.days?.first && left.days?.end == right.days?.end
    }

    /// Whether it belongs to a local day: it overlaps the day and was neither cancelled nor declined.
    func isPart(of day: LocalDay, from: Date, to: Date) -> Bool {
        guard status != "cancelled", ownResponse != "declined" else { return false }
        let span =
            days.map { EventSpan.days(first: $0.first, end: $0.end) } ?? start.map { .timed(start: $0, end: end) }
        return span?.overlaps(day, from..<to) ?? false
    }

    /// Whether a reminder of it makes sense; whether it is still ahead is another question.
    var isRemindable: Bool {
        start != nil && status != "cancelled" && ownResponse != "declined"
            && (type == nil || type == "default" || type == "fromGmail")
    }
}

/// One page of `calendar.events.list`.
struct CalendarPage: Decodable {
    /// Longest event id that is taken, in bytes.
    static let maximumIDBytes = 1024
    /// Most events of one page.
    static let maximumEvents = 50

    let events: [CalendarEvent]
    let nextPageToken: String?

    /// Nil unless the whole page reads: an event that cannot be read must not look like one that is gone.
    init?(json: [UInt8]) {
        guard let page = try? JSONDecoder().decode(CalendarPage.self, from: Data(json)) else { return nil }
        self = page
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let items = try fields.decodeIfPresent([Item].self, forKey: .items) ?? []
        nextPageToken = try fields.decodeIfPresent(String.self, forKey: .nextPageToken)
        guard items.count <= Self.maximumEvents,
            items.allSatisfy({ (1...Self.maximumIDBytes).contains($0.id.utf8.count) })
        else { throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "out of bounds")) }
        events = try items.map { try $0.event }
    }

    private enum CodingKeys: String, CodingKey { case items, nextPageToken }

    private struct Item: Decodable {
        let id: String
        let status: String?
        let summary: String?
        let start: Time?
        let end: Time?
        let eventType: String?
        let attendees: [Attendee]?

        var event: CalendarEvent {
            get throws {
                CalendarEvent(
                    id: id, title: summary ?? "", status: status, type: eventType, start: try start?.moment,
                    end: try end?.moment, days: start?.date.map { ($0, end?.date ?? $0) },
                    ownResponse: attendees?.first { $0.isSelf == true }?.responseStatus,
                    attendeeCount: attendees?.count ?? 0)
            }
        }
    }

    private struct Time: Decodable {
        let dateTime: String?
        let date: String?

        var moment: Date? {
            get throws {
                guard let dateTime else { return nil }
                if let date = try? Date(dateTime, strategy: .iso8601) { return date }
                return try Date(dateTime, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
            }
        }
    }

    private struct Attendee: Decodable {
        let isSelf: Bool?
        let responseStatus: String?

        enum CodingKeys: String, CodingKey {
            case isSelf = "self"
            case responseStatus
        }
    }
}
