import Foundation
import HostRuntime
import Testing

@testable import HostStorage

@Suite struct SchedulePlanTests {
    private let start = Date(timeIntervalSince1970: 1_767_225_600)  // 2026-01-01T00:00:00Z

    private func due(
        _ kind: ScheduleKind, slot: Date, zone: String = "UTC", brief: String = "08:00", quiet: (String, String)? = nil,
        isServed: Bool = true
    ) -> DueSchedule {
        DueSchedule(
            id: UUID(), user: UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)), kind: kind,
            slot: slot, isServed: isServed,
            preferences: Preferences(
                meetingReminderMinutes: 15, morningBriefLocalTime: brief, quietHoursStart: quiet?.0 ?? "00:00",
                quietHoursEnd: quiet?.1 ?? "00:00", timeZone: zone, highRiskRequiresConfirm: true))
    }

    @Test(arguments: [
        ("America/New_York", "02:30"), ("America/New_York", "01:30"), ("Australia/Lord_Howe", "02:15"),
        ("Africa/Cairo", "00:30"), ("Asia/Kolkata", "08:00"), ("America/Santiago", "00:00"),
        ("Pacific/Chatham", "03:00"), ("Europe/London", "23:59"),
    ])
    func aYearHasOneBriefPerLocalDate(_ zone: String, _ time: String) throws {
        let clock = WallClock(timeZone: zone)
        let minutes = try #require(WallClock.minutes(time))
        var slot = clock.next(after: start, minutes: minutes).instant
        var keys: [String] = []
        for _ in 0..<365 {
            let plan = SchedulePlan(
                due(.morningBrief, slot: slot, zone: zone, brief: time), .test, now: slot.addingTimeInterval(0.2))
            keys.append(try #require(plan.job).key)
            #expect(plan.missed == nil)
            #expect(clock.reading(at: slot).minutes >= minutes)
            slot = plan.next
        }
        let first = clock.reading(at: clock.next(after: start, minutes: minutes).instant).day
        #expect(keys == (0..<365).map { "MORNING_BRIEF:\(first.adding($0).text)" })
    }

    @Test(arguments: [(7199, true), (7201, false), (30 * 86_400, false)] as [(Double, Bool)])
    func aLateBriefIsSentWithinTheCatchUpTimeOnly(_ late: Double, _ isSent: Bool) {
        let slot = start.addingTimeInterval(8 * 3600)
        let now = slot.addingTimeInterval(late)
        let plan = SchedulePlan(due(.morningBrief, slot: slot), .test, now: now)
        #expect((plan.job != nil) == isSent)
        #expect((plan.missed?.text == "2026-01-01") == !isSent)
        #expect(plan.next > now && plan.next <= now.addingTimeInterval(86_400))
    }

    @Test func aLateBriefIsNotSentOnAnotherDate() {
        let slot = start.addingTimeInterval(23.5 * 3600)
        let plan = SchedulePlan(
            due(.morningBrief, slot: slot, brief: "23:30"), .test, now: slot.addingTimeInterval(3600))
        #expect(plan.job == nil && plan.missed?.text == "2026-01-01")
    }

    @Test(arguments: [ScheduleKind.calendarScan, .urgentEmailCheck])
    func daysOfMissedSlotsAreOneRun(_ kind: ScheduleKind) throws {
        let now = start.addingTimeInterval(5 * 86_400 + 17)
        let plan = SchedulePlan(due(kind, slot: start), .test, now: now)
        #expect(plan.job?.key == "\(kind.rawValue):1767225600")
        #expect(plan.job?.expiresAt == plan.next)
        let interval = kind == .calendarScan ? 300.0 : 900
        #expect(plan.next > now && plan.next <= now.addingTimeInterval(interval))
        let after = SchedulePlan(due(kind, slot: plan.next), .test, now: plan.next.addingTimeInterval(0.5))
        #expect(after.next == plan.next.addingTimeInterval(interval))
    }

    @Test func mailIsNotReadInQuietHoursAndReadAtTheirEnd() {
        let quiet = ("22:00", "07:00")
        let night = start.addingTimeInterval(23 * 3600)
        let held = SchedulePlan(due(.urgentEmailCheck, slot: night, quiet: quiet), .test, now: night)
        #expect(held.job == nil && held.next == start.addingTimeInterval(31 * 3600))
        let morning = SchedulePlan(due(.urgentEmailCheck, slot: held.next, quiet: quiet), .test, now: held.next)
        #expect(morning.job != nil)
        let evening = start.addingTimeInterval(22 * 3600 - 1)
        let last = SchedulePlan(due(.urgentEmailCheck, slot: evening, quiet: quiet), .test, now: evening)
        #expect(last.job != nil && last.next == held.next)
    }

    @Test(arguments: ScheduleKind.allCases)
    func aUserWithoutADeviceGetsNothing(_ kind: ScheduleKind) {
        let plan = SchedulePlan(due(kind, slot: start, isServed: false), .test, now: start)
        #expect(plan.job == nil && plan.missed == nil && plan.next > start)
    }
}
