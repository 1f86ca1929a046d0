import Foundation
import Testing

@testable import JobWorker

@Suite struct CalendarPageTests {
    private func event(_ fields: String) throws -> CalendarEvent {
        let json = #"{"items":[{"id":"e1","start":{"dateTime":"2026-11-25T10:00:00+01:00"}\#(fields)}]}"#
        return try #require(CalendarPage(json: Array(json.utf8))?.events.first)
    }

    @Test(arguments: [
        "", #","status":"confirmed""#, #","eventType":"default""#, #","eventType":"fromGmail""#,
        #","attendees":[{"self":true,"responseStatus":"accepted"}]"#,
        #","attendees":[{"responseStatus":"declined"},{"self":true,"responseStatus":"needsAction"}]"#,
    ])
    func remindsOf(_ fields: String) throws {
        #expect(try event(fields).isRemindable)
    }

    @Test(arguments: [
        #","status":"cancelled""#, #","eventType":"focusTime""#, #","eventType":"birthday""#,
        #","attendees":[{"self":true,"responseStatus":"declined"}]"#,
    ])
    func doesNotRemindOf(_ fields: String) throws {
        #expect(try !event(fields).isRemindable)
    }

    @Test func doesNotRemindOfAllDayEvents() throws {
        let page = try #require(
            CalendarPage(json: Array(#"{"items":[{"id":"e","start":{"date":"2026-11-25"}}]}"#.utf8)))
        #expect(page.events.map(\.isRemindable) == [false])
    }

    @Test func readsTimesWithOffsetAndFraction() throws {
        let start = try Date("2026-11-25T09:00:00Z", strategy: .iso8601)
        #expect(try event("").start == start)
        let json = #"{"items":[{"id":"e","start":{"dateTime":"2026-11-25T09:00:00.500Z"}}],"nextPageToken":"t"}"#
        let page = try #require(CalendarPage(json: Array(json.utf8)))
        #expect(page.events.first?.start == start.addingTimeInterval(0.5))
        #expect(page.nextPageToken == "t")
    }

    @Test(arguments: [
        "", "[]", #"{"items":[{}]}"#, #"{"items":[{"id":""}]}"#, #"{"items":[{"id":"e","start":{"dateTime":"soon"}}]}"#,
    ])
    func refusesAPageThatDoesNotRead(_ json: String) {
        #expect(CalendarPage(json: Array(json.utf8)) == nil)
    }

    @Test func refusesMoreEventsThanAPageHolds() {
        let items = (0...CalendarPage.maximumEvents).map { #"{"id":"e\#($0)"}"# }.joined(separator: ",")
        #expect(CalendarPage(json: Array(#"{"items":[\#(items)]}"#.utf8)) == nil)
    }

    @Test func namesAReminderByEventAndStart() {
        let meeting = MeetingPayload(eventID: "abc", title: "t", start: 1_800_000_000, end: nil)
        // SHA-256("abc") begins with these digits.
        #expect(meeting.jobKey == "MEETING_REMINDER:ba7816bf8f01cfea414140de5dae2223:1800000000")
    }
}
