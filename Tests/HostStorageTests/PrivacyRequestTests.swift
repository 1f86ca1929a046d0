import Foundation
import Testing

@testable import HostStorage

@Suite struct PrivacyRequestTests {
    @Test func manyWhoAskAtOnceGetOneRequestAndOneAuditRow() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let pools = [try database.anotherPool(role: "alfred_api"), try database.anotherPool(role: "alfred_api")]
        let ids = try await withThrowingTaskGroup(of: UUID.self) { group in
            for index in 0..<16 {
                group.addTask { try await PrivacyRequestRepository(pools[index % 2]).open(for: user) }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(
            try await database.count("alfred.audit_events where event_type = 'PRIVACY_DELETE_ALL_REQUESTED'") == 1)
        let id = try #require(ids.first)
        let found = try #require(try await PrivacyRequestRepository(pools[0]).find(id, of: user))
        #expect(found.status == .queued && found.unrevokedConnectors == 0 && found.completedAt == nil)
        let (stranger, nobody) = (try await database.user(), UUID())
        #expect(try await PrivacyRequestRepository(pools[0]).find(id, of: stranger) == nil)
        #expect(try await PrivacyRequestRepository(pools[0]).find(nobody, of: user) == nil)
    }

    @Test func aCompletedRequestIsSeenByItsDeletedUserAndNoNewOneIsMade() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let requests = PrivacyRequestRepository(database.pool)
        let id = try await requests.open(for: user)
        try await database.sql("update alfred.users set status = 'DELETED', deleted_at = now()")
        await #expect(throws: StorageError.userDeleted) { _ = try await requests.open(for: user) }
        try await database.sql(
            "update alfred.privacy_delete_requests set status = 'COMPLETED', completed_at = now()")
        await #expect(throws: StorageError.userDeleted) { _ = try await requests.open(for: user) }
        #expect(try await requests.find(id, of: user)?.status == .completed)
    }

    @Test func aTestNotificationIsQueuedOncePerKey() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let tests = TestNotificationRepository(try database.anotherPool(role: "alfred_api"))
        func notification() -> NewTestNotification {
            NewTestNotification(
                job: UUID(), user: user, key: "k", sealedPayload: [1], sealedKeyVersion: 1, requestID: "r",
                traceparent: "t")
        }
        let ids = try await withThrowingTaskGroup(of: UUID.self) { group in
            for _ in 0..<8 { group.addTask { try await tests.enqueue(notification()) } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try await tests.find(key: "k", of: user) == ids.first)
        #expect(try await tests.find(key: "k", of: try await database.user()) == nil)
        #expect(try await database.count("alfred.audit_events") == 1)
        let expiring = "alfred.jobs where type = 'TEST_NOTIFICATION' and expires_at = due_at + interval '10 minutes'"
        #expect(try await database.count(expiring) == 1)
    }

    @Test func ofTwoTurnsOverOneVersionOneIsStored() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let sessions = AssistantSessionRepository(try database.anotherPool(role: "alfred_api"))
        let session = UUID()
        func record(_ row: UUID, _ version: Int64) -> StoredAssistantSession {
            StoredAssistantSession(
                row: row, lastCapability: "meetings_today", turnCount: Int(version), sealedMemory: [UInt8(version)],
                recordVersion: version)
        }
        let row = UUID()
        #expect(try await sessions.store(session, of: user, record(row, 1), sealedKeyVersion: 1) != nil)
        #expect(try await sessions.store(session, of: user, record(UUID(), 1), sealedKeyVersion: 1) == nil)
        #expect(try await sessions.store(session, of: user, record(row, 2), sealedKeyVersion: 1) != nil)
        #expect(try await sessions.store(session, of: user, record(row, 2), sealedKeyVersion: 1) == nil)
        #expect(try await sessions.find(session, of: user) == record(row, 2))
        #expect(try await sessions.find(session, of: try await database.user()) == nil)
        try await database.sql("update alfred.assistant_sessions set expires_at = now()")
        #expect(try await sessions.find(session, of: user) == nil)
        #expect(try await sessions.store(session, of: user, record(row, 3), sealedKeyVersion: 1) != nil)
        try await database.sql("update alfred.assistant_sessions set expires_at = now()")
        #expect(try await sessions.store(session, of: user, record(UUID(), 1), sealedKeyVersion: 1) != nil)
    }
}
