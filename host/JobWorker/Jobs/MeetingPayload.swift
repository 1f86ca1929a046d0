import EnclaveProtocol
import Foundation
import HostStorage
import Sodium

/// What a reminder remembers of its meeting, sealed in the job's row.
struct MeetingPayload: Codable, Equatable, Sendable {
    let eventID: String
    /// Cut to what the reminder shows.
    let title: String
    /// Unix seconds.
    let start: Int
    let end: Int?

    enum CodingKeys: String, CodingKey {
        case eventID = "event_id"
        case title, start, end
    }

    var startDate: Date { Date(timeIntervalSince1970: Double(start)) }

    init(eventID: String, title: String, start: Int, end: Int?) {
        self.eventID = eventID
        self.title = title
        self.start = start
        self.end = end
    }

    /// Nil for an event without a start of its own.
    init?(_ event: CalendarEvent) {
        guard let start = event.start?.wholeSeconds else { return nil }
        self.init(
            eventID: event.id, title: ReminderText.title(event.title), start: start, end: event.end?.wholeSeconds)
    }

    /// The job's key: the same event at the same time is one reminder, whenever and wherever it is found.
    var jobKey: String {
        let digits = Array("0123456789abcdef")
        let digest = Hash.sha256(Array(eventID.utf8)).prefix(16)
        let hex = String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
        return "\(JobType.meetingReminder.rawValue):\(hex):\(start)"
    }
}

extension Date {
    /// Unix seconds, rounded down.
    var wholeSeconds: Int { Int(timeIntervalSince1970.rounded(.down)) }
}
