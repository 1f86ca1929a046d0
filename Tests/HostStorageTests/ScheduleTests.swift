import Foundation
import Testing

@testable import HostStorage

@Suite struct ScheduleTests {
    @Test func stepsADueScheduleOnceAndKeepsTheUsersPhase() async throws {
        let database = try await TestDatabase.make()
        let schedules = ScheduleRepository(database.pool)
        let (user, _, _) = try await database.connectedUser()
        #expect(try await schedules.timeUntilNextDue() == .zero)
        let steps = try await withThrowingTaskGroup(of: ScheduleStep.self) { group in
            for _ in 0..<8 { group.addTask { try await schedules.stepDue(.test) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(steps.reduce(0) { $0 + $1.stepped } == 1)
        #expect(steps.reduce(0) { $0 + $1.enqueued } == 1)
        let next = try #require(try await schedules.timeUntilNextDue())
        #expect(next > .zero && next <= .seconds(300))
        let phase = try await database.sql(
            """
            select (extract(epoch from next_run_at)::int8 % 300)::int8, sha256(uuid_send($1)) from alfred.schedules
            where kind = 'CALENDAR_SCAN'
            """,
            [.uuid(user)]
        ).required()
        let expected = try phase.bytes(1).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } % 300
        #expect(try phase.int(0) == Int(expected))
        #expect(try await database.count("alfred.jobs where type = 'CALENDAR_SCAN' and expires_at > now()") == 1)
    }

    @Test func makesNoSecondJobWhileTheFirstIsUnfinished() async throws {
        let database = try await TestDatabase.make()
        let schedules = ScheduleRepository(database.pool)
        _ = try await database.connectedUser()
        #expect(try await schedules.stepDue(.test).enqueued == 1)
        try await database.sql(
            "update alfred.schedules set next_run_at = now() - interval '1 hour' where kind = 'CALENDAR_SCAN'")
        let second = try await schedules.stepDue(.test)
        #expect(second.stepped == 1)
        #expect(second.enqueued == 0)
        #expect(try #require(second.drifts.first).drift > .seconds(3500))
    }

    @Test func waitsForADeviceAndRunsAtOnceWhenOneIsRegistered() async throws {
        let database = try await TestDatabase.make()
        let schedules = ScheduleRepository(database.pool)
        let (user, device, _) = try await database.connectedUser()
        #expect(try await schedules.stepDue(.test).stepped == 1)
        #expect(try await DeviceRepository(database.pool).disable(device, of: user, reason: "Unregistered"))
        try await database.sql("update alfred.schedules set next_run_at = now() where kind = 'CALENDAR_SCAN'")
        let unserved = try await schedules.stepDue(.test)
        #expect(unserved.examined == 1 && unserved.stepped == 0 && unserved.enqueued == 0)
        #expect(try await schedules.stepDue(.test).examined == 0)
        try await database.register(user, "phone")
        #expect(try await schedules.stepDue(.test).stepped == 1)
    }
}
