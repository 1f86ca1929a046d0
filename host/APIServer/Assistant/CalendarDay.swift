import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
import HostStorage
import LLMGateway

/// Reads one local day of a user's calendar through the enclave.
struct CalendarDay: Sendable {
    /// Events that are read.
    static let maximumRead: UInt8 = 50

    let enclave: any EnclavePort

    /// The day's meetings, in no particular order.
    func meetings(
        on day: LocalDay, by clock: WallClock, of user: UserID, _ connector: ConnectorID, context: CallContext
    ) async throws(EnclaveCallError) -> [MeetingMaterial] {
        // A date that was jumped over has no meetings; asking for its time would be refused.
        guard let bounds = clock.bounds(of: day) else { return [] }
        let interval = bounds.start..<bounds.end
        let answer = try await enclave.getGoogle(
            user: user, connector: connector,
            resource: .calendarEvents(
                timeMin: interval.lowerBound.wholeSeconds, timeMax: interval.upperBound.wholeSeconds,
                maxResults: Self.maximumRead, pageToken: nil), context: context)
        guard (200...299).contains(answer.status) else {
            throw .failed(
                EnclaveFailure(
                    answer.status >= 500 ? .providerUnavailable : .providerFailed, providerStatus: answer.status,
                    retryAfterSeconds: answer.retryAfterSeconds))
        }
        guard let listing = try? JSONDecoder().decode(Listing.self, from: Data(answer.body)) else {
            throw .failed(EnclaveFailure(.providerResponseInvalid))
        }
        return (listing.items ?? []).prefix(Int(Self.maximumRead)).filter { $0.isShown(on: day, interval) }.map {
            event in
            MeetingMaterial(
                id: event.id ?? "", title: event.summary ?? "", start: event.start?.instant, end: event.end?.instant,
                attendeeCount: event.attendees?.count ?? 0)
        }
    }

    private struct Listing: Decodable {
        let items: [Event]?
    }

    private struct Event: Decodable {
        let id: String?
        let status: String?
        let summary: String?
        let start: Moment?
        let end: Moment?
        let attendees: [Attendee]?

        /// Overlaps the day, is not cancelled and not declined.
        func isShown(on day: LocalDay, _ interval: Range<Date>) -> Bool {
            let isDeclined = attendees?.contains { $0.isSelf == true && $0.responseStatus == "declined" } ?? false
            guard status != "cancelled", !isDeclined else { return false }
            let span =
                start?.date.map { EventSpan.days(first: $0.text, end: end?.date?.text) }
                ?? start?.instant.map { .timed(start: $0, end: end?.instant) }
            return span?.overlaps(day, interval) ?? false
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

    private struct Moment: Decodable {
        let instant: Date?
        let date: LocalDay?

        enum CodingKeys: String, CodingKey { case dateTime, date }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            date = try fields.decodeIfPresent(String.self, forKey: .date).flatMap { LocalDay($0) }
            instant = try fields.decodeIfPresent(String.self, forKey: .dateTime).flatMap { text in
                (try? Date(text, strategy: .iso8601))
                    ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
            }
        }
    }
}
