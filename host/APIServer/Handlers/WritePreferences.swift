import EnclaveProtocol
import Foundation
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
            timeZone: Self.canonicalZone(try body.text("time_zone").trimmedOfWhiteSpace),
            highRiskRequiresConfirm: try body.bool("high_risk_requires_confirm"))
        func check(_ isFine: Bool, _ field: StaticString) throws(APIError) {
            guard isFine else { throw APIError(.invalidPreferences, field: field) }
        }
        try check((1...120).contains(preferences.meetingReminderMinutes), "meeting_reminder_minutes")
        try check(isLocalTime(preferences.morningBriefLocalTime), "morning_brief_local_time")
        try check(isLocalTime(preferences.quietHoursStart), "quiet_hours_start")
        try check(isLocalTime(preferences.quietHoursEnd), "quiet_hours_end")
        try check(isTimeZone(preferences.timeZone), "time_zone")
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

    /// The spelling of the IANA data for a zone written in other letters; what is no zone stays as it is.
    static func canonicalZone(_ name: String) -> String {
        guard !isTimeZone(name), name.utf8.count <= 64 else { return name }
        let wanted = name.lowercased()
        return (TimeZone.knownTimeZoneIdentifiers + ["UTC"]).first { $0.lowercased() == wanted } ?? name
    }

    /// A zone of the IANA data in exactly its spelling.
    ///
    /// Foundation also takes offsets ("GMT+3", which it spells otherwise) and ambiguous abbreviations ("PST"): those have
    /// no slash and are not in its list. Links such as "Asia/Kolkata" are not in its list either, but are zones. It reads
    /// a name up to a NUL only, so the characters are judged here.
    static func isTimeZone(_ name: String) -> Bool {
        guard (1...64).contains(name.utf8.count), name.utf8.allSatisfy(isNameCharacter) else { return false }
        if name == "UTC" || TimeZone.knownTimeZoneIdentifiers.contains(name) { return true }
        return name.utf8.contains(UInt8(ascii: "/")) && TimeZone(identifier: name)?.identifier == name
    }

    private static func isNameCharacter(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
            || "_/+-".utf8.contains(byte)
    }
}
