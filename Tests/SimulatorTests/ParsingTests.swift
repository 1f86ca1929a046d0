import Foundation
import Testing

@testable import SimulatorKit

@Suite struct ParsingTests {
    @Test func keepsTheFieldsOfTheMaskAndNothingElse() throws {
        let value: JSONValue = [
            "items": [["id": "1", "start": ["dateTime": "t", "timeZone": "UTC"], "summary": "s"]],
            "nextPageToken": "n", "kind": "k",
        ]
        let masked = try FieldMask.apply("items(id,start/dateTime),nextPageToken", to: value)
        #expect(masked == ["items": [["id": "1", "start": ["dateTime": "t"]]], "nextPageToken": "n"])
        #expect(try FieldMask.apply("items/id,items/summary", to: value) == ["items": [["id": "1", "summary": "s"]]])
        #expect(try FieldMask.apply(nil, to: value) == value)
    }

    @Test(arguments: ["items(", "items)", "", ",", "items(id", "items/", "a b"])
    func refusesABrokenMask(_ text: String) {
        #expect(throws: ProviderRefusal.self) { try FieldMask.apply(text, to: [:]) }
    }

    @Test func decodesFormsAndRefusesBrokenEscapes() throws {
        let form = try #require(FormFields("a=1+2&b=%2F&a=3&c"))
        #expect(form["a"] == "1 2" && form["b"] == "/" && form["c"] == nil)
        #expect(form.all("a") == ["1 2", "3"] && form.repeatedName == "a")
        #expect(FormFields("a=%zz") == nil)
    }

    @Test func calendarWindowIsHalfOpenAndAsksForSingleEventsToSort() throws {
        let start = try #require(CalendarQuery.parse("2027-01-01T10:00:00Z"))
        let event = CalendarEvent(id: "e", summary: "s", start: start, minutes: 30)
        func found(_ query: String) throws -> Int {
            try CalendarQuery(try #require(FormFields(query))).select(from: [event]).count
        }
        #expect(try found("timeMin=2027-01-01T10:29:59Z") == 1)
        #expect(try found("timeMin=2027-01-01T10:30:00Z") == 0)
        #expect(try found("timeMax=2027-01-01T11:00:00%2B01:00") == 0)
        #expect(try found("timeMax=2027-01-01T10:00:00.500Z") == 1)
        #expect(throws: ProviderRefusal.self) { try found("timeMin=2027-01-01T10:00:00") }
        #expect(throws: ProviderRefusal.self) { try found("orderBy=startTime") }
        #expect(throws: ProviderRefusal.self) { try found("timeMin=2027-01-02T00:00:00Z&timeMax=2027-01-01T00:00:00Z") }
    }
}
