import Foundation
import HTTPTypes

/// `GET /calendar/v3/calendars/primary/events`.
extension GoogleSimulator {
    func calendarEvents(_ request: ProviderRequest) async -> ProviderResponse {
        do throws(ProviderRefusal) {
            let account = try await account(
                of: request,
                scopes: [GoogleScope.calendarReadOnly, "https://www.googleapis.com/auth/calendar.events.readonly"],
                service: "calendar-json.googleapis.com", method: "calendar.v3.Events.List")
            let query = try CalendarQuery(request.query)
            let found = query.select(from: accounts[account]?.events ?? [])
            let page = try Page(of: found, request.query, standard: 250, maximum: 2500)
            var body: [String: JSONValue] = [
                "kind": "calendar#events", "summary": .string(account), "timeZone": "UTC", "accessRole": "owner",
                "updated": .string(now().ISO8601Format()), "defaultReminders": [],
                "items": .array(page.items.map { item($0, account) }),
            ]
            body["nextPageToken"] = page.next.map { .string($0) }
            return .json(try FieldMask.apply(request.query["fields"], to: .object(body)))
        } catch {
            return error.response
        }
    }

    private func item(_ event: CalendarEvent, _ account: String) -> JSONValue {
        guard case .object(var members) = JSONValue(encoding: event) else { return .null }
        members["kind"] = "calendar#event"
        members["htmlLink"] = .string("https://www.google.com/calendar/event?eid=\(event.id)")
        members["iCalUID"] = .string("\(event.id)@google.com")
        members["organizer"] = ["email": .string(account), "self": true]
        return .object(members)
    }
}

/// The parameters of a calendar listing, checked.
struct CalendarQuery {
    private let timeMin: Date?
    private let timeMax: Date?
    private let byStart: Bool
    private let showDeleted: Bool

    init(_ query: FormFields) throws(ProviderRefusal) {
        timeMin = try Self.time(query["timeMin"])
        timeMax = try Self.time(query["timeMax"])
        if let timeMin, let timeMax, timeMin >= timeMax {
            throw ProviderRefusal(.badRequest("The specified time range is empty."))
        }
        switch query["orderBy"] {
        case nil: byStart = false
        case "startTime" where query["singleEvents"] == "true": byStart = true
        case "startTime":
            throw ProviderRefusal(.badRequest("The requested ordering is not available for the particular query."))
        case "updated": byStart = false
        default: throw ProviderRefusal(.badRequest("Bad Request"))
        }
        showDeleted = query["showDeleted"] == "true"
    }

    /// Events that end after `timeMin` and start before `timeMax`, in the asked order.
    func select(from events: [CalendarEvent]) -> [CalendarEvent] {
        let found = events.filter { event in
            guard showDeleted || event.status != "cancelled" else { return false }
            let start = Self.date(of: event.start) ?? .distantPast
            let end = Self.date(of: event.end) ?? start
            return timeMin.map { end > $0 } ?? true && timeMax.map { start < $0 } ?? true
        }
        guard byStart else { return found }
        return found.sorted {
            (Self.date(of: $0.start) ?? .distantPast, $0.id) < (Self.date(of: $1.start) ?? .distantPast, $1.id)
        }
    }

    private static func time(_ text: String?) throws(ProviderRefusal) -> Date? {
        guard let text else { return nil }
        guard let date = parse(text) else { throw ProviderRefusal(.badRequest("Bad Request")) }
        return date
    }

    private static func date(of moment: CalendarEvent.Moment) -> Date? {
        if let text = moment.dateTime { return parse(text) }
        return moment.date.flatMap { parse($0 + "T00:00:00Z") }
    }

    /// RFC 3339 with a zone, with or without fractions of a second.
    static func parse(_ text: String) -> Date? {
        (try? Date(text, strategy: .iso8601))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
    }
}

/// One page of a listing and the token of the next.
struct Page<Item> {
    let items: [Item]
    let next: String?

    init(of all: [Item], _ query: FormFields, standard: Int, maximum: Int) throws(ProviderRefusal) {
        guard let size = Int(query["maxResults"] ?? String(standard)), size > 0 else {
            throw ProviderRefusal(.badRequest("Invalid value for maxResults"))
        }
        var first = 0
        if let token = query["pageToken"] {
            guard let offset = token.dropPrefix("sim-page-").flatMap({ Int($0) }), (0...all.count).contains(offset)
            else { throw ProviderRefusal(.badRequest("Invalid page token value.")) }
            first = offset
        }
        let end = min(all.count, first + min(size, maximum))
        items = Array(all[first..<end])
        next = end < all.count ? "sim-page-\(end)" : nil
    }
}
