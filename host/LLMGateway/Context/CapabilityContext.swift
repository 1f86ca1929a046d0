import FoundationEssentials
public import HostRuntime

/// What a capability knows: the JSON that a model is shown, freed of instructions.
public struct CapabilityContext: Sendable, Equatable {
    public let capability: Capability
    public let json: JSONValue
    /// How texts say when: `today`, or `on` a date.
    let when: String
    /// The day as a title says it.
    let heading: String

    init(_ capability: Capability, _ json: JSONValue, otherDay: String?) {
        self.capability = capability
        self.json = InputSafety.sanitised(json)
        when = otherDay.map { "on \($0)" } ?? "today"
        heading = otherDay.map { "Meetings on \($0)" } ?? "Today's meetings"
    }

    /// A question about the meetings of a day.
    public static func meetings(
        _ meetings: [MeetingMaterial], on day: LocalDay, today: LocalDay, by clock: WallClock, timeZone: String,
        query: String, memory: (version: String, turns: [ConversationTurn])? = nil
    ) -> CapabilityContext {
        var fields: [String: JSONValue] = [
            "version": .string(ContextLimits.version), "calendar_day": .string(day.text),
            "time_zone": .string(timeZone), "meeting_count": .integer(meetings.count),
            "meetings": MeetingFields.list(meetings, on: day, by: clock),
            "current_query": .string(UntrustedText(query, from: .user).line(limit: ContextLimits.query)),
        ]
        if let memory, !memory.turns.isEmpty { fields["session_memory"] = sessionMemory(memory.version, memory.turns) }
        return CapabilityContext(.meetingsSummary, .object(fields), otherDay: day == today ? nil : day.text)
    }

    /// The day ahead; `localTime` is `HH:MM`.
    public static func brief(
        _ meetings: [MeetingMaterial], mail: [MailMaterial], on day: LocalDay, by clock: WallClock, timeZone: String,
        localTime: String
    ) -> CapabilityContext {
        CapabilityContext(
            .morningBrief,
            .object([
                "version": .string(ContextLimits.version), "local_date": .string(day.text),
                "time_zone": .string(timeZone), "morning_brief_local_time": .string(localTime),
                "meetings_today_count": .integer(meetings.count),
                "urgent_email_candidate_count": .integer(mail.count),
                "meetings_today": MeetingFields.list(meetings, on: day, by: clock),
                "urgent_email_candidates": MailFields.list(mail),
            ]), otherDay: nil)
    }

    /// Mail that nobody has judged.
    public static func mail(_ mail: [MailMaterial]) -> CapabilityContext {
        CapabilityContext(
            .urgentEmailSummary,
            .object([
                "version": .string(ContextLimits.version), "candidate_count": .integer(mail.count),
                "candidates": MailFields.list(mail),
            ]), otherDay: nil)
    }

    private static func sessionMemory(_ version: String, _ turns: [ConversationTurn]) -> JSONValue {
        let recent = turns.suffix(ContextLimits.turns)
        func line(_ text: String) -> JSONValue {
            .string(UntrustedText(text, from: .user).line(limit: ContextLimits.snippet))
        }
        return .object([
            "version": .string(version), "turn_count": .integer(recent.count),
            "recent_turns": .array(
                recent.map { turn in
                    .object([
                        "user_query_snippet": line(turn.query), "assistant_summary_snippet": line(turn.answer),
                        "capability": line(turn.capability), "calendar_day": line(turn.day),
                    ])
                }),
        ])
    }
}

/// The provider's id of a thing, or one by its place.
private func reference(_ id: String, from source: TextSource, _ kind: String, place: Int) -> JSONValue {
    let number = String(place + 1)
    let standIn = "\(kind)-" + String(repeating: "0", count: max(0, 3 - number.utf8.count)) + number
    return .string(UntrustedText(id, from: source).line(limit: ContextLimits.reference, blank: standIn))
}

/// RFC 3339, UTC, whole seconds.
private func moment(_ date: Date) -> JSONValue {
    .string(Date(timeIntervalSince1970: date.timeIntervalSince1970.rounded(.down)).formatted(.iso8601))
}

private enum MeetingFields {
    /// All-day ones first, then by start, reference and title.
    static func list(_ meetings: [MeetingMaterial], on day: LocalDay, by clock: WallClock) -> JSONValue {
        func title(_ meeting: MeetingMaterial) -> String {
            meeting.title.line(limit: ContextLimits.title, blank: "Untitled meeting")
        }
        let sorted = meetings.map { ($0, title($0)) }.sorted { left, right in
            (left.0.start ?? .distantPast, left.0.id, left.1) < (right.0.start ?? .distantPast, right.0.id, right.1)
        }
        let dayStart = clock.bounds(of: day)?.start
        return .array(
            sorted.prefix(ContextLimits.meetings).enumerated().map { place, item in
                fields(item.0, title: item.1, place: place, dayStart, clock)
            })
    }

    private static func fields(
        _ meeting: MeetingMaterial, title: String, place: Int, _ dayStart: Date?, _ clock: WallClock
    ) -> JSONValue {
        var fields: [String: JSONValue] = [
            "event_ref": reference(meeting.id, from: .calendar, "meeting", place: place), "title": .string(title),
            "all_day": .bool(meeting.start == nil),
            "attendee_count": .integer(min(max(0, meeting.attendeeCount), ContextLimits.attendees)),
        ]
        fields["start_at"] = (meeting.start ?? dayStart).map(moment)
        guard let start = meeting.start else { return .object(fields) }
        fields["start_local"] = .string(clock.text(at: start))
        guard let end = meeting.end, end >= start else { return .object(fields) }
        fields["end_at"] = moment(end)
        fields["end_local"] = .string(clock.text(at: end))
        let minutes = Int(end.timeIntervalSince(start) / 60)
        if minutes > 0 { fields["duration_minutes"] = .integer(minutes) }
        return .object(fields)
    }
}

private enum MailFields {
    /// Newest first, undated last.
    static func list(_ mail: [MailMaterial]) -> JSONValue {
        let sorted = mail.enumerated().sorted { left, right in
            let dates = (left.element.receivedAt ?? .distantPast, right.element.receivedAt ?? .distantPast)
            return dates.0 == dates.1 ? left.offset < right.offset : dates.0 > dates.1
        }
        return .array(
            sorted.prefix(ContextLimits.mail).enumerated().map { place, item in fields(item.element, place: place) })
    }

    private static func fields(_ message: MailMaterial, place: Int) -> JSONValue {
        let labels = Set(message.labels.map { $0.line(limit: ContextLimits.label) }).subtracting([""]).sorted()
        var fields: [String: JSONValue] = [
            "message_ref": reference(message.id, from: .mail, "email", place: place),
            "from": .string(message.from.line(limit: ContextLimits.title, blank: "Unknown sender")),
            "subject": .string(message.subject.line(limit: ContextLimits.title, blank: "(no subject)")),
            "snippet": .string(message.snippet.line(limit: ContextLimits.snippet)),
            "labels": .array(labels.prefix(ContextLimits.labels).map(JSONValue.string)),
            "has_attachments": .bool(message.hasAttachments),
        ]
        fields["received_at"] = message.receivedAt.map(moment)
        return .object(fields)
    }
}
