import Foundation
import Testing

@testable import HostStorage

@Suite struct UserTests {
    @Test func insertsAUserOnceUnderConcurrentSight() async throws {
        let database = try await TestDatabase.make()
        let (users, user) = (UserRepository(database.pool), UUID())
        try await withThrowingTaskGroup(of: UserStatus.self) { group in
            for _ in 0..<20 { group.addTask { try await users.ensureActive(user) } }
            for try await status in group { #expect(status == .active) }
        }
        #expect(try await database.count("alfred.users") == 1)
    }

    @Test func nothingIsWrittenForADeletedUser() async throws {
        let database = try await TestDatabase.make()
        let pool = database.pool
        let (user, device, connector) = try await database.connectedUser()
        let record = SealedRecordWrite(
            user: user, connector: connector, provider: .google, expectedVersion: 1, newVersion: 2, keyID: "k",
            keyVersion: 1, sealed: [1])
        try await database.sql("update alfred.users set status = 'DELETED' where id = $1", [.uuid(user)])

        #expect(try await UserRepository(pool).ensureActive(user) == .deleted)
        #expect(try await SealedRecordRepository(pool).put(record) == .refused)
        await #expect(throws: StorageError.userDeleted) { try await database.register(user, "phone") }
        await #expect(throws: StorageError.userDeleted) { _ = try await PreferencesRepository(pool).getOrCreate(user) }
        await #expect(throws: StorageError.userDeleted) {
            try await PreferencesRepository(pool).update(user, .other)
        }
        await #expect(throws: StorageError.userDeleted) {
            _ = try await ConnectorRepository(pool).markRevoking(connector, of: user)
        }
        await #expect(throws: StorageError.userDeleted) {
            _ = try await DeviceRepository(pool).disable(device, of: user, reason: "Unregistered")
        }
        await #expect(throws: StorageError.userDeleted) {
            try await AuditRepository(pool).append(.googleConnectStarted(redirectURI: "a://b"), for: user)
        }
        await #expect(throws: StorageError.userDeleted) {
            _ = try await JobRepository(pool).enqueue(
                NewJob(id: UUID(), user: user, type: .calendarScan, idempotencyKey: "k"))
        }
        await #expect(throws: StorageError.userDeleted) {
            _ = try await JobRepository(pool).enqueue(
                NewJob(id: UUID(), user: UUID(), type: .calendarScan, idempotencyKey: "k"))
        }
    }

    @Test func aWriteUnderWayFailsWhenThePurgeCommitsFirst() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let other = try database.anotherPool()
        let writing = try await database.pool.withTransaction { tx throws(StorageError) in
            try await tx.query(.write("select from alfred.users where id = $1 for update"), [.uuid(user)])
            let writing = Task { _ = try await PreferencesRepository(other).getOrCreate(user) }
            let isWaiting =
                (try? await eventually {
                    try await other.query(
                        .read("select from pg_locks where not granted and locktype in ('transactionid', 'tuple')")
                    ).count > 0
                }) ?? false
            #expect(isWaiting)
            try await tx.query(.write("update alfred.users set status = 'DELETED' where id = $1"), [.uuid(user)])
            return writing
        }
        await #expect(throws: StorageError.userDeleted) { try await writing.value }
    }

    @Test func givesDefaultPreferencesToEveryoneAtOnce() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let expected = Preferences(
            meetingReminderMinutes: 15, morningBriefLocalTime: "08:00", quietHoursStart: "22:00",
            quietHoursEnd: "07:00",
            timeZone: "UTC", highRiskRequiresConfirm: true)
        try await withThrowingTaskGroup(of: Preferences.self) { group in
            for _ in 0..<10 { group.addTask { try await PreferencesRepository(database.pool).getOrCreate(user) } }
            for try await preferences in group { #expect(preferences == expected) }
        }
    }
}

@Suite struct DeviceTests {
    @Test func aTokenMovesToWhoRegistersItLast() async throws {
        let database = try await TestDatabase.make()
        let devices = DeviceRepository(database.pool)
        let (first, second) = (try await database.user(), try await database.user())
        let token = [UInt8].random(32)
        try await database.register(first, "phone", token: token)
        try await database.register(second, "phone", token: token)
        #expect(try await devices.enabledDevices(of: first).isEmpty)
        #expect(try await devices.enabledDevices(of: second).map(\.deviceIdentifier) == ["phone"])
        let events = try await AuditRepository(database.pool).page(of: first).items
        #expect(events.map(\.eventType) == ["DEVICE_DISABLED", "DEVICE_REGISTERED"])
        #expect(events.first?.metadata == ["device_id": "phone", "environment": "sandbox", "reason": "token_moved"])
    }

    @Test func concurrentRegistrationsOfOneTokenLeaveOneRow() async throws {
        let database = try await TestDatabase.make()
        let token = [UInt8].random(32)
        let users = try await [database.user(), database.user()]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for user in users { group.addTask { try await database.register(user, "phone", token: token) } }
            try await group.waitForAll()
        }
        #expect(try await database.count("alfred.devices") == 1)
    }

    @Test func registeringAgainRenewsAndEnables() async throws {
        let database = try await TestDatabase.make()
        let devices = DeviceRepository(database.pool)
        let user = try await database.user()
        let id = try await database.register(user, "phone")
        #expect(try await devices.disable(id, of: user, reason: "Unregistered"))
        #expect(try await !devices.disable(id, of: user, reason: "Unregistered"))
        #expect(try await devices.enabledDevices(of: user).isEmpty)
        #expect(try await database.register(user, "phone") == id)
        #expect(try await devices.enabledDevices(of: user).map(\.id) == [id])
        let old = Date(timeIntervalSinceNow: -3600)
        #expect(try await !devices.disable(id, of: user, reason: "Unregistered", registeredBefore: old))
    }

    @Test func theTwentyFirstDevicePushesOutTheOldest() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        for number in 0...20 { try await database.register(user, "d\(number)") }
        let names = Set(try await DeviceRepository(database.pool).enabledDevices(of: user).map(\.deviceIdentifier))
        #expect(names.count == 20)
        #expect(!names.contains("d0"))
    }
}
