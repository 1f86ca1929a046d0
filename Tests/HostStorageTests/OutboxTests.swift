import Foundation
import Testing

@testable import HostStorage

@Suite struct OutboxTests {
    private func queue(_ database: TestDatabase, expiresIn seconds: Double = 60) async throws -> (
        user: UUID, device: UUID
    ) {
        let user = try await database.user()
        let device = try await database.register(user, "phone")
        let jobs = JobRepository(database.pool)
        _ = try await jobs.enqueue(
            NewJob(id: UUID(), user: user, type: .meetingReminder, idempotencyKey: "k", requestID: "r"))
        let claim = JobClaim(owner: "t", maximum: 1, maximumBackground: 1, perUserLimit: 1, lease: .seconds(60))
        let job = try #require(try await jobs.claim(claim).first)
        let pushes = NewPushes(
            actionKey: "k", kind: .meetingReminder, expiresAt: Date(timeIntervalSinceNow: seconds),
            items: [NewPush(id: UUID(), device: device, sealedPayload: [5], sealedKeyVersion: 2)])
        #expect(try await jobs.finish(job.lease, JobEffect(outcome: "notified", pushes: pushes)))
        return (user, device)
    }

    private func deliveries(_ database: TestDatabase, _ user: UUID) async throws -> [[String: String]] {
        try await AuditRepository(database.pool).page(of: user).items
            .filter { $0.eventType == "NOTIFICATION_DELIVERY_ATTEMPT" }.map(\.metadata)
    }

    @Test func isSentByOneClaimerAndRecordedWithItsAudit() async throws {
        let database = try await TestDatabase.make()
        let outbox = OutboxRepository(database.pool)
        let (user, device) = try await queue(database)
        #expect(try await outbox.timeUntilNextDue() == .zero)
        let claims = try await withThrowingTaskGroup(of: [ClaimedPush].self) { group in
            for _ in 0..<8 { group.addTask { try await outbox.claim(owner: "t", limit: 5) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(claims.count == 1)
        let push = try #require(claims.first)
        #expect(push.device == device)
        #expect(push.sealedPayload == [5])
        #expect(push.payloadKeyVersion == 2)
        #expect(push.attempt == 1)
        #expect(push.job?.type == .meetingReminder)
        #expect(try await outbox.record(.delivered, of: push))
        #expect(try await !outbox.record(.delivered, of: push))
        let delivery = try #require(try await deliveries(database, user).first)
        #expect(delivery["outcome"] == "delivered")
        #expect(delivery["notification_id"] == push.lease.id.uuidString.lowercased())
        #expect(delivery["request_id"] == "r")
        #expect(try await outbox.timeUntilNextDue() == nil)
    }

    @Test func followsADeviceThatIsRegisteredUnderAnotherName() async throws {
        let database = try await TestDatabase.make()
        let (user, old) = try await queue(database)
        let token = try await database.sql("select apns_token_sha256 from alfred.devices").required().bytes(0)
        let devices = DeviceRepository(try database.anotherPool(role: "alfred_api"))
        let new = try await devices.register(
            DeviceRegistration(
                user: user, deviceIdentifier: "renamed", sealedToken: [9], tokenSHA256: token, sealedKeyVersion: 1,
                environment: .sandbox))
        #expect(new != old)
        #expect(try await devices.enabledDevices(of: user).map(\.id) == [new])
        let push = try #require(try await OutboxRepository(database.pool).claim(owner: "t", limit: 1).first)
        #expect(push.device == new && push.sealedPayload == [5])
        let events = try await AuditRepository(database.pool).page(of: user).items
        #expect(events.contains { $0.eventType == "DEVICE_DISABLED" && $0.metadata["device_id"] == "phone" })
    }

    @Test func aSendersDeathBringsTheRowBackAndFencesTheDead() async throws {
        let database = try await TestDatabase.make()
        let outbox = OutboxRepository(database.pool)
        _ = try await queue(database)
        let first = try #require(try await outbox.claim(owner: "dead", limit: 1, lease: .zero).first)
        #expect(try await outbox.reap() == 1)
        let second = try #require(try await outbox.claim(owner: "alive", limit: 1).first)
        #expect(second.lease.id == first.lease.id)
        #expect(second.attempt == 2)
        #expect(try await !outbox.record(.failed(code: "APNS_X", disableDevice: "x"), of: first))
        #expect(try await outbox.record(.delivered, of: second))
        #expect(try await database.count("alfred.devices where disabled_at is not null") == 0)
    }

    @Test func triesAgainUntilTheEighthAttempt() async throws {
        let database = try await TestDatabase.make()
        let outbox = OutboxRepository(database.pool)
        let (user, _) = try await queue(database)
        for attempt in 1...8 {
            let push = try #require(try await outbox.claim(owner: "t", limit: 1).first)
            #expect(push.attempt == attempt)
            #expect(try await outbox.record(.again(code: "APNS_NETWORK_ERROR", after: .zero), of: push))
        }
        #expect(try await outbox.claim(owner: "t", limit: 1).isEmpty)
        #expect(try await database.count("alfred.push_outbox where state = 'FAILED' and attempts = 8") == 1)
        #expect(try await deliveries(database, user).count == 8)
    }

    @Test func heldBackIsNoAttempt() async throws {
        let database = try await TestDatabase.make()
        let outbox = OutboxRepository(database.pool)
        _ = try await queue(database)
        let push = try #require(try await outbox.claim(owner: "t", limit: 1).first)
        #expect(try await outbox.record(.held(until: Date(timeIntervalSinceNow: 3600)), of: push))
        #expect(try await database.count("alfred.push_outbox where state = 'PENDING' and attempts = 0") == 1)
        #expect(try #require(try await outbox.timeUntilNextDue()) > .seconds(3500))
    }

    @Test func postponedIsNoAttemptAndCountsByTheDatabasesClock() async throws {
        let database = try await TestDatabase.make()
        let outbox = OutboxRepository(database.pool)
        _ = try await queue(database)
        let push = try #require(try await outbox.claim(owner: "t", limit: 1).first)
        #expect(try await outbox.record(.postponed(.seconds(60)), of: push))
        #expect(
            try await database.count(
                "alfred.push_outbox where state = 'PENDING' and attempts = 0 and finished_at is null "
                    + "and next_attempt_at between now() + interval '50 s' and now() + interval '60 s'") == 1)
    }

    @Test func aRefusedDeviceIsDisabledInTheSameTransaction() async throws {
        let database = try await TestDatabase.make()
        let outbox = OutboxRepository(database.pool)
        let (user, _) = try await queue(database)
        let push = try #require(try await outbox.claim(owner: "t", limit: 1).first)
        #expect(try await outbox.record(.failed(code: "APNS_UNREGISTERED", disableDevice: "Unregistered"), of: push))
        #expect(try await DeviceRepository(database.pool).enabledDevices(of: user).isEmpty)
        let types = try await AuditRepository(database.pool).page(of: user).items.map(\.eventType)
        #expect(types.contains("DEVICE_DISABLED"))
    }

    @Test func quietHoursAreAudited() async throws {
        let database = try await TestDatabase.make()
        let outbox = OutboxRepository(database.pool)
        let (user, _) = try await queue(database)
        let push = try #require(try await outbox.claim(owner: "t", limit: 1).first)
        #expect(try await outbox.record(.suppressed(quietHoursStart: "22:00", quietHoursEnd: "07:00"), of: push))
        let event = try #require(try await AuditRepository(database.pool).page(of: user).items.first)
        #expect(event.eventType == "NOTIFICATION_SUPPRESSED")
        #expect(event.metadata["quiet_hours_end"] == "07:00")
        #expect(event.succeeded)
    }

    @Test func isNeverSentAfterItsExpiry() async throws {
        let database = try await TestDatabase.make()
        let outbox = OutboxRepository(database.pool)
        let (user, _) = try await queue(database, expiresIn: -1)
        #expect(try await outbox.claim(owner: "t", limit: 1).isEmpty)
        #expect(try await outbox.expire() == 1)
        #expect(try await outbox.expire() == 0)
        let delivery = try #require(try await deliveries(database, user).first)
        #expect(delivery["outcome"] == "failed")
        #expect(delivery["error_code"] == "EXPIRED")
    }
}
