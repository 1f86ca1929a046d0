import EnclaveClient
import EnclaveProtocol
import Foundation
import HostRuntime
@testable import HostStorage
import Testing

@testable import APIServer

@Suite struct AssistantTests {
    private func connect(_ server: TestServer, _ token: String, zone: String = "Europe/Berlin") async throws -> String {
        let start = try await server.send(
            "POST", "/v1/connectors/google/start", token: token,
            json: #"{"redirect_uri":"alfred://oauth/google/callback"}"#)
        let done = try await server.send(
            "POST", "/v1/connectors/google/callback", token: token,
            json: #"{"state":"\#(start.text("state") ?? "")","code":"c"}"#)
        let preferences = """
            {"meeting_reminder_minutes":15,"morning_brief_local_time":"08:00","quiet_hours_start":"22:00",\
            "quiet_hours_end":"07:00","time_zone":"\(zone)","high_risk_requires_confirm":true}
            """
        #expect(
            try await server.send("PUT", "/v1/preferences", token: token, json: preferences).status == 200)
        return try #require(done.text("connector_id"))
    }

    private func ask(
        _ server: TestServer, _ token: String, _ query: String, session: String? = nil
    ) async throws -> TestServer.Answer {
        let session = session.map { #","session_id":"\#($0)""# } ?? ""
        return try await server.send(
            "POST", "/v1/assistant/query", token: token, json: #"{"query":"\#(query)"\#(session)}"#)
    }

    private func day(_ days: Int, _ zone: String = "Europe/Berlin") -> LocalDay {
        WallClock(timeZone: zone).reading(at: Date()).day.adding(days)
    }

    private func listing(_ events: [String]) -> Result<GoogleGetAnswer, EnclaveCallError> {
        let json = "{\"items\":[\(events.joined(separator: ","))]}"
        return .success(GoogleGetAnswer(status: 200, body: Array(json.utf8), retryAfterSeconds: nil))
    }

    @Test func listsTheDayInTheUsersZoneAndKeepsTheConversation() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            _ = try await connect(server, token)
            let today = day(0)
            let start = try #require(WallClock(timeZone: "Europe/Berlin").bounds(of: today)).start
            func event(_ id: String, _ title: String, _ hours: Double, _ more: String = "") -> String {
                let begins = start.addingTimeInterval(hours * 3600).wholeSeconds
                let ends = start.addingTimeInterval(hours * 3600 + 1800).wholeSeconds
                return #"{"id":"\#(id)","summary":"\#(title)","start":{"dateTime":"\#(begins)"},"#
                    + #""end":{"dateTime":"\#(ends)"}\#(more)}"#
            }
            server.enclave.script {
                $0.calendar = listing([
                    event("b", "Review\\u202e \\u0007 plan", 10), event("a", "Stand-up", 9), event("d", "", 11),
                    event("x", "Gone", 12, #","status":"cancelled""#),
                    event("y", "No", 13, #","attendees":[{"self":true,"responseStatus":"declined"}]"#),
                    event("z", "Yesterday", -3),
                    #"{"id":"c","summary":"Fair","start":{"date":"\#(today.text)"},"#
                        + #""end":{"date":"\#(today.adding(1).text)"}}"#,
                ])
            }
            let first = try await ask(server, token, "What MEETINGS do I have?")
            #expect(first.status == 200, "\(first.body)")
            #expect(first.text("display_text") == "You have 4 meetings today.")
            #expect(first.text("output_source") == "deterministic_fallback")
            #expect(first.text("capability") == "meetings_today")
            #expect(first.body.contains(#""key_points":["All day - Fair","09:00 - Stand-up","10:00 - Review plan"]"#))
            #expect(first.body.contains(#""calendar_day":"\#(today.text)""#))
            let session = try #require(first.text("session_id"))

            server.enclave.script { $0.calendar = listing([]) }
            let second = try await ask(server, token, "and tomorrow?", session: session)
            let tomorrow = today.adding(1).text
            #expect(second.text("display_text") == "You have no meetings on \(tomorrow).")
            #expect(second.text("session_id") == session)
            let third = try await ask(server, token, "same again", session: session)
            #expect(third.body.contains(#""calendar_day":"\#(tomorrow)""#))
            #expect(
                try await server.count(
                    "alfred.assistant_sessions where record_version = 3 and turn_count = 3 and", user)
                    == 1)
            let events = try await server.send("GET", "/v1/audit-events", token: token)
            #expect(events.body.contains("AI_ASSISTANT_QUERY"))
            #expect(events.body.contains(#""assistant_session_persisted":"true""#))
            for secret in ["Stand-up", "MEETINGS", "tomorrow"] {
                #expect(!events.body.contains(secret))
                #expect(!server.lines.lines.contains { $0.contains(secret) })
            }
        }
    }

    @Test func anothersSessionIsANewOne() async throws {
        try await TestServer.run { server in
            let (one, two) = (try server.signIn(), try server.signIn())
            for person in [one, two] { _ = try await connect(server, person.token) }
            let session = try #require(try await ask(server, one.token, "my agenda").text("session_id"))
            let foreign = try await ask(server, two.token, "and tomorrow?", session: session)
            let unknown = try await ask(server, two.token, "and tomorrow?", session: UUID().uuidString)
            #expect(foreign.status == 400 && foreign.code == "unsupported_assistant_query")
            #expect(foreign.body == unknown.body)
            #expect(try await ask(server, two.token, "my agenda", session: session).status == 200)
            #expect(try await server.count("alfred.assistant_sessions where turn_count = 1 and", one.user) == 1)
        }
    }

    @Test func aMemoryThatDoesNotOpenIsDropped() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            _ = try await connect(server, token)
            let session = try #require(try await ask(server, token, "my agenda").text("session_id"))
            _ = try await server.pool.query(
                .write("update alfred.assistant_sessions set memory_ciphertext = '\\x00' where user_id = $1"),
                [.uuid(user.uuid)])
            #expect(try await ask(server, token, "my agenda", session: session).status == 200)
            let reset = "alfred.audit_events where redacted_metadata->>'assistant_session_reset' = 'true' and"
            #expect(try await server.count(reset, user) == 1)
            #expect(try await ask(server, token, "and tomorrow?", session: session).status == 200)
        }
    }

    @Test func refusesWhatItCannotAnswer() async throws {
        try await TestServer.run { server in
            let (_, token) = try server.signIn()
            #expect(try await ask(server, token, " ").code == "invalid_query")
            #expect(try await ask(server, token, String(repeating: "a", count: 2001)).code == "invalid_query")
            #expect(try await ask(server, token, "meetings", session: "x").code == "invalid_request_body")
            #expect(try await ask(server, token, "tell me a joke").code == "unsupported_assistant_query")
            #expect(try await ask(server, token, "meetings on 2020-01-01").code == "unsupported_assistant_query")
            #expect(try await ask(server, token, "meetings").code == "google_connector_not_active")
            server.enclave.script {
                $0.complete = .success(
                    GoogleConnectCompleteAnswer(scopes: [GoogleScope.gmail], recordVersion: 1, accountChanged: false))
            }
            _ = try await connect(server, token)
            #expect(try await ask(server, token, "meetings").code == "insufficient_scopes")
            #expect(server.enclave.asked.isEmpty)
        }
    }

    @Test func tellsApartTheFailuresOfTheCalendar() async throws {
        try await TestServer.run { server in
            let (user, token) = try server.signIn()
            _ = try await connect(server, token)
            func code(_ answer: Result<GoogleGetAnswer, EnclaveCallError>) async throws -> String? {
                server.enclave.script { $0.calendar = answer }
                return try await ask(server, token, "meetings").code
            }
            func google(_ status: UInt16, _ body: String) -> Result<GoogleGetAnswer, EnclaveCallError> {
                .success(GoogleGetAnswer(status: status, body: Array(body.utf8), retryAfterSeconds: nil))
            }
            #expect(try await code(google(503, "")) == "google_calendar_unavailable")
            #expect(try await code(google(403, "{}")) == "google_calendar_failed")
            #expect(try await code(google(200, "<html>")) == "google_calendar_invalid_response")
            #expect(try await code(.failure(.unreachable)) == "security_runtime_error")
            #expect(try await code(.failure(.failed(EnclaveFailure(.recordRevoked)))) == "google_connector_not_active")
            #expect(try await server.count("alfred.connectors where status = 'ACTIVE' and", user) == 1)
            let gone = try await code(.failure(.failed(EnclaveFailure(.reconnectRequired))))
            #expect(gone == "google_connector_not_active")
            #expect(try await server.count("alfred.connectors where status = 'RECONNECT_REQUIRED' and", user) == 1)
            let audited = "alfred.audit_events where event_type = 'CONNECTOR_RECONNECT_REQUIRED' and"
            #expect(try await server.count(audited, user) == 1)
        }
    }
}

@Suite struct QueryWordsTests {
    /// A Wednesday.
    private let today = LocalDay("2026-11-25")

    @Test(arguments: [
        ("my meetings today", "2026-11-25"), ("calendar for tomorrow", "2026-11-26"),
        ("agenda yesterday", "2026-11-24"), ("meetings on Wednesday", "2026-11-25"),
        ("meetings on Tuesday?", "2026-12-01"), ("schedule 2026-12-03", "2026-12-03"),
        ("meetings on December 3rd", "2026-12-03"), ("meetings on the 3rd of december", "2026-12-03"),
        ("meetings 3 December please", "2026-12-03"), ("meetings January 1", "2027-01-01 too far"),
        ("meetings 2026-11-31", "impossible"), ("meetings 2026-11-23", "too early"), ("meetings", "none"),
        ("meetings in may", "none"), ("meetings 2026-12-26", "2026-12-26"), ("meetings 2026-12-27", "too far"),
    ])
    func findsTheDay(_ query: String, _ expected: String) throws {
        let day = QueryWords(query).day(today: try #require(today))
        switch day {
        case .on(let date): #expect(date.text == expected)
        case .none: #expect(expected == "none")
        case .impossible: #expect(LocalDay(expected) == nil && expected != "none")
        }
    }

    @Test func knowsAFollowUp() throws {
        let today = try #require(today)
        for query in ["what about Friday", "and then?", "Next", "tomorrow", "those again"] {
            #expect(QueryWords(query).isFollowUp(today: today), "\(query)")
        }
        let long = "what about " + String(repeating: "very ", count: 9) + "long ones"
        for query in ["hello", "thenceforth", long] { #expect(!QueryWords(query).isFollowUp(today: today), "\(query)") }
    }
}

@Suite struct LocalDayTests {
    @Test func everyDayHasOneNameAndReadsBack() throws {
        for number in stride(from: 0, through: 60_000, by: 17) {
            let date = LocalDay(number: number)
            #expect(LocalDay(date.text) == date)
        }
        #expect(LocalDay("1970-01-01")?.number == 0 && LocalDay(number: 0).weekday == 3)
        for bad in ["2026-02-29", "2026-13-01", "2026-1-01", "x", "2026-01-01-"] { #expect(LocalDay(bad) == nil) }
    }
}
