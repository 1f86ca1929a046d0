import Foundation
import Testing

@testable import HostStorage

@Suite struct QuietHoursTests {
    private func hours(_ start: String, _ end: String, _ zone: String = "UTC") throws -> QuietHours {
        try #require(QuietHours(start: start, end: end, timeZone: zone))
    }

    private func date(_ text: String) throws -> Date { try Date(text, strategy: .iso8601) }

    @Test func includeTheirStartAndExcludeTheirEnd() throws {
        let hours = try hours("13:00", "14:30")
        #expect(try !hours.contains(date("2026-11-25T12:59:59Z")))
        #expect(try hours.contains(date("2026-11-25T13:00:00Z")))
        #expect(try hours.contains(date("2026-11-25T14:29:59Z")))
        #expect(try !hours.contains(date("2026-11-25T14:30:00Z")))
    }

    @Test func wrapAroundMidnight() throws {
        let hours = try hours("22:00", "07:00")
        #expect(try hours.contains(date("2026-11-25T22:00:00Z")))
        #expect(try hours.contains(date("2026-11-25T03:00:00Z")))
        #expect(try !hours.contains(date("2026-11-25T07:00:00Z")))
        #expect(try !hours.contains(date("2026-11-25T21:59:00Z")))
    }

    @Test func areNoneWhenStartIsEnd() throws {
        #expect(try !hours("08:00", "08:00").contains(date("2026-11-25T08:00:00Z")))
    }

    @Test func followTheWallClockThroughTheChangeOfTime() throws {
        // New York springs forward at 07:00Z on 8 March 2026: 01:59 is followed by 03:00.
        let hours = try hours("01:30", "03:00", "America/New_York")
        #expect(try hours.contains(date("2026-03-08T06:59:00Z")))
        #expect(try !hours.contains(date("2026-03-08T07:00:00Z")))
        // In November 01:30 comes twice, and is inside both times.
        #expect(try hours.contains(date("2026-11-01T05:45:00Z")))
        #expect(try hours.contains(date("2026-11-01T06:45:00Z")))
        #expect(try !hours.contains(date("2026-11-01T08:00:00Z")))
    }

    @Test func endAtTheNextWallClockEnd() throws {
        #expect(try hours("22:00", "07:00").end(after: date("2026-11-25T23:00:00Z")) == date("2026-11-26T07:00:00Z"))
        #expect(try hours("22:00", "07:00").end(after: date("2026-11-25T05:00:00Z")) == date("2026-11-25T07:00:00Z"))
    }

    @Test(arguments: ["7:00", "24:00", "12:60", "noon", "12:00:00"])
    func areNotReadFrom(_ text: String) {
        #expect(QuietHours(start: text, end: "08:00", timeZone: "UTC") == nil)
    }
}
