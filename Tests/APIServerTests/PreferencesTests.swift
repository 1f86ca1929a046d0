import Foundation
import Testing

@testable import APIServer

@Suite struct PreferencesTests {
    private static let valid = [
        ("meeting_reminder_minutes", "30"), ("morning_brief_local_time", "\"06:15\""),
        ("quiet_hours_start", "\"00:00\""), ("quiet_hours_end", "\"23:59\""), ("time_zone", "\"Europe/Berlin\""),
        ("high_risk_requires_confirm", "false"),
    ]

    /// The body with one member's JSON replaced or, when nil, left out.
    private static func body(_ name: String = "", _ value: String? = "") -> String {
        let members = valid.compactMap { member -> String? in
            guard member.0 == name else { return "\"\(member.0)\":\(member.1)" }
            return value.map { "\"\(name)\":\($0)" }
        }
        return "{\(members.joined(separator: ","))}"
    }

    @Test func storesAllSixAndSaysSoInTheAuditTrail() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let answer = try await server.send("PUT", "/v1/preferences", token: token, json: Self.body())
            #expect(answer.status == 200)
            #expect(answer.body == #"{"ok":true}"#)
            #expect(answer.headers["ratelimit-policy"] == "\"preferences_write\";q=30;w=60")
            #expect(try await server.send("GET", "/v1/preferences", token: token).body == Self.body())
            let events = try await server.send("GET", "/v1/audit-events", token: token)
            #expect(
                events.body.contains(
                    #""event_type":"PREFERENCES_UPDATED","connector":null,"result":"SUCCESS","#
                        + #""metadata":{"meeting_reminder_minutes":"30","time_zone":"Europe/Berlin"}"#))
            #expect(try await server.count("alfred.user_preferences where", user) == 1)
        }
    }

    @Test func takesBackWhatItAnsweredWithQuietHoursOff() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            let defaults = try await server.send("GET", "/v1/preferences", token: token).body
            let awake = defaults.replacingOccurrences(of: "07:00", with: "22:00")
            #expect(try await server.send("PUT", "/v1/preferences", token: token, json: awake).status == 200)
            #expect(try await server.send("GET", "/v1/preferences", token: token).body == awake)
        }
    }

    @Test func refusesAValueOutOfRuleByTheNameOfItsField() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            let wrong = [
                ("meeting_reminder_minutes", "0"), ("meeting_reminder_minutes", "121"),
                ("morning_brief_local_time", "\"24:00\""), ("quiet_hours_start", "\"7:00\""),
                ("quiet_hours_end", "\"07:60\""), ("time_zone", "\"Mars/Olympus\""), ("time_zone", "\"\""),
            ]
            for (name, value) in wrong {
                let answer = try await server.send(
                    "PUT", "/v1/preferences", token: token, json: Self.body(name, value))
                #expect(answer.status == 400 && answer.code == "invalid_preferences", "\(name) \(value)")
                #expect(answer.body.contains(": \(name).\""), "\(answer.body)")
            }
            #expect(try await server.count("alfred.user_preferences where", user) == 0)
        }
    }

    @Test func refusesABodyThatLacksAFieldOrHasAnotherType() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            for (name, value) in Self.valid {
                for wrong in [nil, "null", value.hasPrefix("\"") ? "1" : "\"1\""] {
                    let answer = try await server.send(
                        "PUT", "/v1/preferences", token: token, json: Self.body(name, wrong))
                    #expect(answer.status == 422 && answer.code == "invalid_request_body", "\(name)")
                    #expect(answer.body.contains(name))
                }
            }
            #expect(try await server.count("alfred.user_preferences where", user) == 0)
        }
    }

    @Test(arguments: [
        "UTC", "GMT", "Etc/UTC", "Etc/GMT+5", "Europe/Kyiv", "Asia/Calcutta", "Asia/Kolkata", "US/Pacific",
        "America/Argentina/Buenos_Aires", "CET", "EST", "EST5EDT", "PST8PDT", "Japan", "UCT", "Zulu", "GMT+0",
    ])
    func knowsZonesAndTheirLinks(_ name: String) {
        #expect(TimeZoneNames.contains(name))
    }

    @Test(arguments: [
        ("asia/kolkata", "Asia/Kolkata"), ("us/pacific", "US/Pacific"), ("etc/gmt+5", "Etc/GMT+5"), ("japan", "Japan"),
        ("europe/berlin", "Europe/Berlin"), ("utc", "UTC"), ("AMERICA/NEW_YORK", "America/New_York"),
        ("Asia/Calcutta", "Asia/Calcutta"), ("gmt+3", "gmt+3"), ("", ""),
    ])
    func spellsAZoneAsTheDataDoes(_ given: String, _ spelled: String) {
        #expect(TimeZoneNames.spelled(given) == spelled)
    }

    @Test(arguments: [
        "", "utc", "europe/berlin", "Europe/Berlin ", "GMT+3", "GMT+0300", "PST", "Factory", "Etc/Unknown",
        "SystemV/PST8PDT", "/", "a/b",
        "../etc/passwd", "Europe/Berlin\u{0}", "Europe/Berl\u{ed}n",
    ])
    func knowsNoOtherZone(_ name: String) {
        #expect(!TimeZoneNames.contains(name))
    }

    @Test(arguments: ["", "08:0", "8:00", "08:000", "08.00", "24:00", "23:60", "2a:00", "-1:00", "０8:00"])
    func knowsNoOtherLocalTime(_ text: String) {
        #expect(!WritePreferences.isLocalTime(text))
    }
}
