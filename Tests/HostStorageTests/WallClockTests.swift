import Foundation
import HostRuntime
import Testing

@testable import HostStorage

/// Local times of whole years, judged by Postgres, which has its own rules of time zones.
@Suite struct WallClockTests {
    private static let zones = [
        "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata", "Asia/Kathmandu",
        "America/St_Johns", "Australia/Adelaide", "Pacific/Chatham", "Europe/London", "America/Santiago",
        "Antarctica/Troll", "UTC",
    ]

    /// For each day: no instant before the answer shows the time or a later one on that day's wall clock, the answer does.
    @Test(arguments: zones)
    func findsTheFirstInstantOfALocalTimeOnEveryDayOfTheYear(_ zone: String) async throws {
        let database = try await TestDatabase.make()
        let clock = WallClock(timeZone: zone)
        let first = LocalDay(number: 20_454)  // 2026-01-01
        for minutes in [0, 15, 90, 135, 150, 480, 1439] {
            let days = (0..<365).map(first.adding)
            let instants = days.map { clock.instant(on: $0, minutes: minutes) }
            #expect(!instants.contains(nil))
            let row = try await database.sql(
                """
                with asked as (
                    select day::date + $4::int * interval '1 minute' as wall, to_timestamp(instant) as found
                    from unnest($1::text[], $2::int8[]) as a(day, instant))
                select count(*) filter (where found at time zone $3 < wall),
                    count(*) filter (where exists (
                        select from generate_series(1, 6 * 60, 5) back
                        where (found - back * interval '1 minute' + interval '59 seconds') at time zone $3 >= wall)),
                    count(*) filter (where found at time zone $3 <> wall)
                from asked
                """,
                [
                    .texts(days.map(\.text)), .ints(instants.compactMap { $0.map { Int64($0.timeIntervalSince1970) } }),
                    .text(zone), .int(minutes),
                ]
            ).required()
            #expect(try row.int(0) == 0)
            #expect(try row.int(1) == 0)
            // Only times that are jumped over are not shown as asked for: one change a year can do that.
            #expect(try row.int(2) <= 1)
        }
    }

    @Test(arguments: [
        ("America/New_York", 20_520, 150, "2026-03-08T07:00:00Z"),
        ("America/New_York", 20_758, 90, "2026-11-01T05:30:00Z"),
        ("Australia/Lord_Howe", 20_730, 135, "2026-10-03T15:30:00Z"),
    ])
    func knowsWhatGapsAndRepetitionsMean(_ zone: String, _ day: Int, _ minutes: Int, _ expected: String) throws {
        let instant = WallClock(timeZone: zone).instant(on: LocalDay(number: day), minutes: minutes)
        #expect(instant == (try Date(expected, strategy: .iso8601)))
    }

    @Test func leavesOutADateThatWasJumpedOver() throws {
        let clock = WallClock(timeZone: "Pacific/Apia")
        let missing = LocalDay(number: 15_338)
        #expect(missing.text == "2011-12-30")
        #expect(clock.instant(on: missing, minutes: 480) == nil)
        let before = try #require(clock.instant(on: missing.adding(-1), minutes: 480))
        #expect(clock.next(after: before, minutes: 480).day == missing.adding(1))
    }

    @Test func boundsALocalDayThatBeginsInAGap() throws {
        let bounds = try #require(WallClock(timeZone: "Africa/Cairo").bounds(of: LocalDay(number: 19_837)))
        #expect(LocalDay(number: 19_837).text == "2024-04-24")
        #expect(bounds.end.timeIntervalSince(bounds.start) == 86_400)
        let change = try #require(WallClock(timeZone: "Africa/Cairo").bounds(of: LocalDay(number: 20_567)))
        #expect(change.start == (try Date("2026-04-23T22:00:00Z", strategy: .iso8601)))
        #expect(change.end == (try Date("2026-04-24T21:00:00Z", strategy: .iso8601)))
    }
}
