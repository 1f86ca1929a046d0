import Foundation
import Testing

@testable import JobWorker

@Suite struct ReminderTextTests {
    private let berlin = TimeZone(identifier: "Europe/Berlin") ?? .gmt

    private func text(_ meeting: String, inSeconds seconds: Double, now: String = "2026-11-25T09:00:00Z") throws
        -> ReminderText
    {
        let now = try Date(now, strategy: .iso8601)
        return ReminderText(meeting: meeting, start: now.addingTimeInterval(seconds), now: now, timeZone: berlin)
    }

    @Test func saysTheMinutesLeftRoundedUp() throws {
        #expect(try text("Design", inSeconds: 900).title == "Meeting in 15 min")
        #expect(try text("Design", inSeconds: 841).title == "Meeting in 15 min")
        #expect(try text("Design", inSeconds: 61).title == "Meeting in 2 min")
        #expect(try text("Design", inSeconds: 60).title == "Meeting starting now")
        #expect(try text("Design", inSeconds: -5).title == "Meeting starting now")
    }

    @Test func tellsTheTimeOfTheUsersZone() throws {
        #expect(try text("Design", inSeconds: 900).body == "Design at 10:15")
    }

    @Test func saysTomorrowOnlyForTheNextLocalDate() throws {
        // 23:50 in Berlin.
        let late = "2026-11-25T22:50:00Z"
        #expect(try text("Late", inSeconds: 300, now: late).body == "Late at 23:55")
        #expect(try text("Early", inSeconds: 900, now: late).body == "Early at 00:05 tomorrow")
        // The same instant is still the same date in UTC.
        let now = try Date(late, strategy: .iso8601)
        let utc = ReminderText(meeting: "Early", start: now.addingTimeInterval(900), now: now, timeZone: .gmt)
        #expect(utc.body == "Early at 23:05")
    }

    @Test func namesABlankTitle() throws {
        #expect(try text(" \n\t", inSeconds: 900).body == "Untitled meeting at 10:15")
        #expect(ReminderText.title("a\nb\u{7}c") == "a b c")
        // What follows a title is not turned round, and nothing in it is unseen.
        #expect(try text("\u{202e}gnp\u{2066}\u{200b}.exe", inSeconds: 900).body == "gnp.exe at 10:15")
    }

    @Test func holdsNoLinkWhateverTheTitleHolds() throws {
        #expect(try text("Pay at evil.com:443/pay", inSeconds: 900).body == "Pay at [link] at 10:15")
        #expect(
            try text("<a href=x>Join</a> https://evil.example", inSeconds: 900).body == "[link] [link] [link] at 10:15")
        #expect(try text("facetime:+190012345 Dr. Who", inSeconds: 900).body == "[link] Dr. Who at 10:15")
        // A link that only the cut makes.
        let long = String(repeating: "x", count: 68) + " evil.community board"
        #expect(ReminderText.title(long) == String(repeating: "x", count: 68) + " [link]")
        #expect(try text("Plan.pdf, e.g. 3.30 Uhr", inSeconds: 900).body == "Plan.pdf, e.g. 3.30 Uhr at 10:15")
    }

    @Test func cutsALongTitleBetweenCharacters() {
        let family = "👨‍👩‍👧‍👦"
        let cut = ReminderText.title(String(repeating: "x", count: 76) + family + family + "yyyyyy")
        #expect(cut == String(repeating: "x", count: 76) + family + "...")
        #expect(cut.count == 80)
        #expect(ReminderText.title(String(repeating: "x", count: 80)) == String(repeating: "x", count: 80))
        // One character may be very long.
        let tower = "e" + String(repeating: "\u{301}", count: 2000)
        #expect(ReminderText.title("a" + tower).utf8.count <= ReminderText.maximumTitleBytes)
    }
}
