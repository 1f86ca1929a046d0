import Foundation
import Testing

@testable import HostStorage

/// The programs' own roles can do what the programs do.
@Suite struct RoleTests {
    @Test func theAPIsRoleServesItsRoutes() async throws {
        let database = try await TestDatabase.make()
        let pool = try database.anotherPool(role: "alfred_api")
        #expect(try await pool.query(.read("select current_user::text")).required().text(0) == "alfred_api")
        let user = UUID()
        #expect(try await UserRepository(pool).ensureActive(user) == .active)
        let records = SealedRecordRepository(pool)
        let connector = try await ConnectorRepository(pool).prepareConnect(user: user)
        #expect(
            try await records.insertWrappedKey(
                keyID: "k", version: 1, kmsProvider: "local", wrapped: [1], lineageMAC: nil))
        let state = NewOAuthState(
            id: UUID(), user: user, stateSHA256: .random(32), redirectURI: "a://b", sealedVerifier: [1],
            sealedKeyVersion: 1, lifetime: .seconds(60))
        try await OAuthStateRepository(pool).insert(state)
        #expect(try await OAuthStateRepository(pool).claim(user: user, stateSHA256: state.stateSHA256) != nil)
        let write = SealedRecordWrite(
            user: user, connector: connector, provider: .google, expectedVersion: 0, newVersion: 1, keyID: "k",
            keyVersion: 1, sealed: [1])
        #expect(try await records.put(write) == .stored)
        let activation = ConnectorActivation(
            user: user, connector: connector, recordVersion: 1, scopes: [GoogleScope.calendar, GoogleScope.gmail],
            state: state.id, accountChanged: false, attestedMeasurement: "m")
        #expect(try await ConnectorRepository(pool).activate(activation))
        _ = try await DeviceRepository(pool).register(
            DeviceRegistration(
                user: user, deviceIdentifier: "phone", sealedToken: [1], tokenSHA256: .random(32), sealedKeyVersion: 1,
                environment: .sandbox))
        let preferences = try await PreferencesRepository(pool).getOrCreate(user)
        try await PreferencesRepository(pool).update(user, preferences)
        #expect(try await ConnectorRepository(pool).markRevoking(connector, of: user) != nil)
        #expect(
            try await ConnectorRepository(pool).markRevoked(
                connector, of: user, version: 1, attestedMeasurement: "m"))
        #expect(try await AuditRepository(pool).page(of: user).items.count == 5)
        try await HealthChecks(pool).migrations()
    }

    @Test func theWorkersRoleRunsItsJobs() async throws {
        let database = try await TestDatabase.make()
        let (user, device, connector) = try await database.connectedUser()
        let pool = try database.anotherPool(role: "alfred_worker")
        let (jobs, outbox) = (JobRepository(pool), OutboxRepository(pool))
        #expect(try await ScheduleRepository(pool).stepDue(.test).enqueued == 1)
        let claim = JobClaim(owner: "w", maximum: 5, maximumBackground: 5, perUserLimit: 1, lease: .seconds(60))
        let scan = try #require(try await jobs.claim(claim).first)
        let reminder = NewJob(
            id: UUID(), user: user, type: .meetingReminder, idempotencyKey: "r",
            expiresAt: Date(timeIntervalSinceNow: 600),
            sealedPayload: [1], sealedKeyVersion: 1)
        let sweep = ReminderSweep(from: Date(), to: Date(timeIntervalSinceNow: 600), keep: ["r"])
        #expect(
            try await jobs.finish(
                scan.lease, JobEffect(outcome: "no_notification", reminders: [reminder], sweep: sweep)))
        let due = try #require(try await jobs.claim(claim).first)
        let pushes = NewPushes(
            actionKey: "r", kind: .meetingReminder, expiresAt: Date(timeIntervalSinceNow: 60),
            items: [NewPush(id: UUID(), device: device, sealedPayload: [1], sealedKeyVersion: 1)])
        #expect(try await jobs.finish(due.lease, JobEffect(outcome: "notified", pushes: pushes)))
        let push = try #require(try await outbox.claim(owner: "w", limit: 1).first)
        #expect(try await outbox.record(.failed(code: "APNS_HTTP_410", disableDevice: "Unregistered"), of: push))
        _ = try await outbox.expire()
        _ = try await outbox.reap()
        _ = try await jobs.reap(policy: RetryPolicy(base: .seconds(1), maximum: .seconds(2)))
        _ = try await PreferencesRepository(pool).getOrCreate(user)
        #expect(
            try await ConnectorRepository(pool).markReconnectRequired(
                connector, of: user, expectedVersion: 1, reason: "invalid_grant"))
        #expect(try await SealedRecordRepository(pool).get(user: user, connector: connector) != nil)
        await #expect(throws: StorageError.unexpected(sqlstate: "42501")) {
            _ = try await pool.query(.write("update alfred.audit_events set result = 'SUCCESS'"))
        }
    }
}
