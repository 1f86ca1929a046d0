import EnclaveProtocol
import FoundationEssentials
import HostStorage

/// GET `/v1/preferences`: the stored ones, or the defaults, stored on first sight.
struct ReadPreferences: Sendable {
    let preferences: PreferencesRepository

    func answer(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let found = try await stored(call) { () throws(StorageError) in try await preferences.getOrCreate(user.uuid) }
        return .json(
            .object([
                "meeting_reminder_minutes": .integer(found.meetingReminderMinutes),
                "morning_brief_local_time": .string(found.morningBriefLocalTime),
                "quiet_hours_start": .string(found.quietHoursStart),
                "quiet_hours_end": .string(found.quietHoursEnd), "time_zone": .string(found.timeZone),
                "high_risk_requires_confirm": .bool(found.highRiskRequiresConfirm),
            ]))
    }
}

/// GET `/v1/audit-events`: newest first, page by page.
struct ReadAuditEvents: Sendable {
    let audit: AuditRepository

    func answer(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let cursor = try Self.cursor(call.query)
        let page = try await stored(call) { () throws(StorageError) in
            try await audit.page(of: user.uuid, after: cursor)
        }
        let items = page.items.map(Self.item)
        return .json(.object(["items": .array(items), "next_cursor": .optional(page.next?.text)]))
    }

    private static func cursor(_ query: String?) throws(APIError) -> AuditCursor? {
        let names = (query ?? "").split(separator: "&").map { $0.prefix { $0 != "=" } }
        guard names.contains("cursor") else { return nil }
        guard let text = FormFields.first("cursor", in: query ?? ""), let cursor = AuditCursor(text) else {
            throw APIError(.invalidCursor)
        }
        return cursor
    }

    private static func item(_ entry: AuditEntry) -> JSONValue {
        let metadata = entry.metadata.sorted { $0.key < $1.key }
        return .object([
            "id": .string(entry.id.lowercased), "timestamp": .string(entry.timestamp.wholeSeconds),
            "event_type": .string(entry.eventType), "connector": .optional(entry.connector),
            "result": .string(entry.succeeded ? "SUCCESS" : "FAILURE"),
            "metadata": .members(metadata.map { JSONValue.Member(name: $0.key, value: .string($0.value)) }),
        ])
    }
}

extension Date {
    /// RFC 3339 in UTC, whole seconds, truncated.
    var wholeSeconds: String {
        let seconds = timeIntervalSince1970.rounded(.down)
        return Date(timeIntervalSince1970: seconds).formatted(.iso8601)
    }
}
