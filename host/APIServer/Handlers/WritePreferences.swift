import EnclaveProtocol
import HostStorage

/// PUT `/v1/preferences`: replaces all six.
struct WritePreferences: Sendable {
    let preferences: PreferencesRepository

    func answer(_ call: APICall, _ user: UserID) async throws(APIError) -> APIAnswer {
        let wanted = try Self.preferences(call.body)
        try await stored(call) { () throws(StorageError) in try await preferences.update(user.uuid, wanted) }
        return .json(.object(["ok": .bool(true)]))
    }

    /// Shape first, rules then: a body that lacks a field is told so, whatever the others say.
    private static func preferences(_ body: RequestFields) throws(APIError) -> Preferences {
        let preferences = Preferences(
            meetingReminderMinutes: try body.integer("meeting_reminder_minutes"),
            morningBriefLocalTime: try body.text("morning_brief_local_time"),
            quietHoursStart: try body.text("quiet_hours_start"), quietHoursEnd: try body.text("quiet_hours_end"),
            timeZone: TimeZoneNames.spelled(try body.text("time_zone").trimmedOfWhiteSpace),
            highRiskRequiresConfirm: try body.bool("high_risk_requires_confirm"))
        func check(_ isFine: Bool, _ field: StaticString) throws(APIError) {
            guard isFine else { throw APIError(.invalidPreferences, field: field) }
        }
        try check((1...120).contains(preferences.meetingReminderMinutes), "meeting_reminder_minutes")
        try check(isLocalTime(preferences.morningBriefLocalTime), "morning_brief_local_time")
        try check(isLocalTime(preferences.quietHoursStart), "quiet_hours_start")
        try check(isLocalTime(preferences.quietHoursEnd), "quiet_hours_end")
        try check(TimeZoneNames.contains(preferences.timeZone), "time_zone")
        return preferences
    }

    /// `HH:MM`, from 00:00 to 23:59.
    static func isLocalTime(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":"),
            [bytes[0], bytes[1], bytes[3], bytes[4]].allSatisfy({ (0x30...0x39).contains($0) })
        else { return false }
        return bytes[0...1].lexicographicallyPrecedes("24".utf8) && bytes[3] < UInt8(ascii: "6")
    }
}
