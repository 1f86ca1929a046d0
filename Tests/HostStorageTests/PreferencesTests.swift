import Foundation
import Testing

@testable import HostStorage

extension Preferences {
    /// Different from the defaults in every field.
    static let other = Preferences(
        meetingReminderMinutes: 120, morningBriefLocalTime: "23:59", quietHoursStart: "00:00", quietHoursEnd: "06:30",
        timeZone: "America/Argentina/Buenos_Aires", highRiskRequiresConfirm: false)
}

@Suite struct PreferencesTests {
    @Test(arguments: [false, true])
    func replacesAllSixWhetherStoredBeforeOrNot(_ isStored: Bool) async throws {
        let database = try await TestDatabase.make()
        let preferences = PreferencesRepository(database.pool)
        let (user, neighbour) = (try await database.user(), try await database.user())
        let defaults = try await preferences.getOrCreate(neighbour)
        if isStored { _ = try await preferences.getOrCreate(user) }
        try await preferences.update(user, .other)
        #expect(try await preferences.getOrCreate(user) == .other)
        #expect(try await preferences.getOrCreate(neighbour) == defaults)
        let events = try await AuditRepository(database.pool).page(of: user).items
        #expect(events.map(\.eventType) == ["PREFERENCES_UPDATED"])
        #expect(events.first?.succeeded == true)
        #expect(events.first?.connector == nil)
        #expect(
            events.first?.metadata
                == ["meeting_reminder_minutes": "120", "time_zone": "America/Argentina/Buenos_Aires"])
    }

    @Test func aRefusedValueLeavesNeitherPreferencesNorAuditRow() async throws {
        let database = try await TestDatabase.make()
        let preferences = PreferencesRepository(database.pool)
        let user = try await database.user()
        let before = try await preferences.getOrCreate(user)
        let wrong = Preferences(
            meetingReminderMinutes: 121, morningBriefLocalTime: "08:00", quietHoursStart: "22:00",
            quietHoursEnd: "07:00", timeZone: "UTC", highRiskRequiresConfirm: true)
        await #expect(throws: StorageError.unexpected(sqlstate: "23514")) { try await preferences.update(user, wrong) }
        #expect(try await preferences.getOrCreate(user) == before)
        #expect(try await AuditRepository(database.pool).page(of: user).items.isEmpty)
    }

    @Test func theCalendarScanKeepsItsTimeUnlessRemindersAreToComeAtAnother() async throws {
        let database = try await TestDatabase.make()
        let (user, _, _) = try await database.connectedUser()
        func next() async throws -> Date {
            try await database.sql("select next_run_at from alfred.schedules where kind = 'CALENDAR_SCAN'").required()
                .time(0)
        }
        func pass() async throws {
            try await database.sql("update alfred.schedules set next_run_at = now() + interval '5 minutes'")
        }
        try await pass()
        try await PreferencesRepository(try database.anotherPool(role: "alfred_api")).update(user, .other)
        #expect(try await next() <= Date(timeIntervalSinceNow: 1))
        try await pass()
        let before = try await next()
        try await PreferencesRepository(database.pool).update(user, .other)
        #expect(try await next() == before)
    }
}
