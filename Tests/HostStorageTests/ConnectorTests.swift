import Foundation
import Testing

@testable import HostStorage

@Suite struct SealedRecordTests {
    private func write(_ user: UUID, _ connector: UUID, _ expected: Int64, _ sealed: [UInt8] = [1]) -> SealedRecordWrite
    {
        SealedRecordWrite(
            user: user, connector: connector, provider: .google, expectedVersion: expected, newVersion: expected + 1,
            keyID: "k", keyVersion: 1, sealed: sealed)
    }

    @Test func storesOnlyOverTheVersionThatWasRead() async throws {
        let database = try await TestDatabase.make()
        let records = SealedRecordRepository(database.pool)
        let (user, connector) = (try await database.user(), UUID())
        #expect(try await records.get(user: user, connector: connector) == nil)
        #expect(try await records.put(write(user, connector, 0)) == .stored)
        #expect(try await records.put(write(user, connector, 0, [2])) == .conflict)
        #expect(try await records.put(write(user, connector, 1, [3])) == .stored)
        #expect(try await records.put(write(user, connector, 1, [4])) == .conflict)
        #expect(try await records.put(write(user, UUID(), 0, [5])) == .conflict)
        let record = try #require(try await records.get(user: user, connector: connector))
        #expect(record == StoredRecord(sealed: [3], provider: .google, recordVersion: 2, keyID: "k", keyVersion: 1))
        #expect(try await ConnectorRepository(database.pool).find(connector, of: user)?.status == .reconnectRequired)
    }

    @Test func aRepeatedWriteIsStoredAgain() async throws {
        let database = try await TestDatabase.make()
        let records = SealedRecordRepository(database.pool)
        let (user, connector) = (try await database.user(), UUID())
        for expected: Int64 in 0...1 {
            #expect(try await records.put(write(user, connector, expected)) == .stored)
            #expect(try await records.put(write(user, connector, expected)) == .stored)
        }
        #expect(try await records.get(user: user, connector: connector)?.recordVersion == 2)
    }

    @Test func oneOfManyConcurrentWritersWins() async throws {
        let database = try await TestDatabase.make()
        let records = SealedRecordRepository(database.pool)
        let (user, connector) = (try await database.user(), UUID())
        #expect(try await records.put(write(user, connector, 0)) == .stored)
        let outcomes = try await withThrowingTaskGroup(of: SealedRecordOutcome.self) { group in
            for number in 0..<20 {
                group.addTask { try await records.put(write(user, connector, 1, [7, UInt8(number)])) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .stored } == 1)
        #expect(outcomes.count { $0 == .conflict } == 19)
    }

    @Test func aGrantOverARevokedRowCanBeRevokedEvenIfItsConnectNeverCompleted() async throws {
        let database = try await TestDatabase.make()
        let (records, connectors) = (SealedRecordRepository(database.pool), ConnectorRepository(database.pool))
        let (user, _, connector) = try await database.connectedUser()
        _ = try await connectors.markRevoking(connector, of: user)
        #expect(try await records.put(write(user, connector, 1)) == .stored)
        #expect(try await connectors.markRevoked(connector, of: user, version: 2, attestedMeasurement: "m"))
        #expect(try await records.put(write(user, connector, 1, [2])) == .conflict)
        #expect(try await connectors.find(connector, of: user)?.status == .revoked, "a refused write changes nothing")
        #expect(try await database.count("alfred.connectors where revoked_at is not null") == 1)

        #expect(try await records.put(write(user, connector, 2)) == .stored)
        #expect(try await connectors.find(connector, of: user)?.status == .reconnectRequired)
        #expect(try await database.count("alfred.connectors where revoked_at is not null") == 0)
        #expect(try await connectors.markRevoking(connector, of: user)?.status == .revoking)
    }

    @Test(arguments: [ConnectorStatus.active, .revoking, .reconnectRequired])
    func aWriteLeavesEveryOtherStatus(_ status: ConnectorStatus) async throws {
        let database = try await TestDatabase.make()
        let (user, _, connector) = try await database.connectedUser()
        try await database.sql("update alfred.connectors set status = $1", [.text(status.rawValue)])
        #expect(try await SealedRecordRepository(database.pool).put(write(user, connector, 1)) == .stored)
        #expect(try await ConnectorRepository(database.pool).find(connector, of: user)?.status == status)
    }

    @Test func anotherUsersIdFindsNothing() async throws {
        let database = try await TestDatabase.make()
        let records = SealedRecordRepository(database.pool)
        let (user, other, connector) = (try await database.user(), try await database.user(), UUID())
        #expect(try await records.put(write(user, connector, 0)) == .stored)
        #expect(try await records.get(user: other, connector: connector) == nil)
        #expect(try await records.put(write(other, connector, 1)) == .conflict)
        #expect(try await records.put(write(other, connector, 0)) == .conflict)
        #expect(try await ConnectorRepository(database.pool).find(connector, of: other) == nil)
    }

    @Test func neverOverwritesAWrappedKey() async throws {
        let database = try await TestDatabase.make()
        let records = SealedRecordRepository(database.pool)
        func insert(_ version: Int, _ wrapped: [UInt8]) async throws -> Bool {
            try await records.insertWrappedKey(
                keyID: "k", version: version, kmsProvider: "local", wrapped: wrapped,
                lineageMAC: version > 1 ? [8] : nil)
        }
        let firsts = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<8 { group.addTask { try await insert(1, [UInt8(number)]) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(firsts.count { $0 } == 1)
        let before = try await records.wrappedKey(keyID: "k", version: 1)
        #expect(try await insert(2, [2]))
        #expect(try await !insert(1, [99]))
        #expect(try await records.wrappedKey(keyID: "k", version: 1) == before)
        #expect(try await records.wrappedKey(keyID: "k", version: 2)?.lineageMAC == [8])
        #expect(try await records.wrappedKey(keyID: "other", version: 1) == nil)
        let active = try await database.sql("select key_version from alfred.wrapped_data_keys where state = 'ACTIVE'")
        #expect(try active.map { row throws(StorageError) in try row.int(0) } == [2])
    }
}

@Suite struct ConnectorTests {
    @Test func connectsReconnectsAndRevokes() async throws {
        let database = try await TestDatabase.make()
        let connectors = ConnectorRepository(database.pool)
        let (user, _, connector) = try await database.connectedUser()
        #expect(try await connectors.prepareConnect(user: user) == connector)
        #expect(try await connectors.list(of: user).map(\.status) == [.active])
        #expect(try await database.count("alfred.schedules where enabled") == 2)
        #expect(try await database.count("alfred.oauth_states where consumed_at is not null") == 1)

        #expect(try await connectors.markRevoking(connector, of: user)?.status == .revoking)
        #expect(try await database.count("alfred.schedules where enabled") == 0)
        let unfinished = try await connectors.unfinishedRevocations(olderThan: .zero, youngerThan: .seconds(3600))
        #expect(unfinished.map(\.connector) == [connector])
        #expect(
            try await connectors.unfinishedRevocations(olderThan: .seconds(60), youngerThan: .seconds(3600)).isEmpty)
        #expect(try await connectors.markRevoked(connector, of: user, version: 1, attestedMeasurement: "m"))
        #expect(try await !connectors.markRevoked(connector, of: user, version: 1, attestedMeasurement: "m"))
        #expect(try await connectors.markRevoking(connector, of: user) == nil)
        #expect(try await connectors.markRevoking(UUID(), of: user) == nil)
        #expect(try await connectors.markRevoking(connector, of: database.user()) == nil)
        #expect(try await database.count("alfred.audit_events where event_type = 'CONNECTOR_REVOKED'") == 1)
    }

    @Test func aLateEndOfARevocationLeavesANewConnectionAlone() async throws {
        let database = try await TestDatabase.make()
        let connectors = ConnectorRepository(database.pool)
        let (user, _, connector) = try await database.connectedUser()
        _ = try await connectors.markRevoking(connector, of: user)
        for version in [Int64(2), 3] {
            let write = SealedRecordWrite(
                user: user, connector: connector, provider: .google, expectedVersion: version - 1,
                newVersion: version, keyID: "k", keyVersion: 1, sealed: [UInt8(version)])
            #expect(try await SealedRecordRepository(database.pool).put(write) == .stored)
        }
        let again = ConnectorActivation(
            user: user, connector: connector, recordVersion: 3, scopes: [GoogleScope.calendar], state: UUID(),
            accountChanged: false, attestedMeasurement: "m")
        #expect(try await connectors.activate(again))
        #expect(
            try await !connectors.markRevoked(connector, of: user, version: 2, attestedMeasurement: "m"),
            "version 2 was the tombstone, version 3 is a new grant")
        #expect(try await connectors.find(connector, of: user)?.status == .active)
        #expect(try await database.count("alfred.schedules where enabled") == 2)
    }

    @Test func aLateActivationDoesNotUndoARevocation() async throws {
        let database = try await TestDatabase.make()
        let connectors = ConnectorRepository(database.pool)
        let (user, _, connector) = try await database.connectedUser()
        _ = try await connectors.markRevoking(connector, of: user)
        let tombstone = SealedRecordWrite(
            user: user, connector: connector, provider: .google, expectedVersion: 1, newVersion: 2, keyID: "k",
            keyVersion: 1, sealed: [0])
        #expect(try await SealedRecordRepository(database.pool).put(tombstone) == .stored)
        let late = ConnectorActivation(
            user: user, connector: connector, recordVersion: 1, scopes: [GoogleScope.calendar], state: UUID(),
            accountChanged: false, attestedMeasurement: "m")
        #expect(try await !connectors.activate(late))
        #expect(try await connectors.find(connector, of: user)?.status == .revoking)
    }

    @Test func reconnectIsRequiredOnlyForTheRecordThatFailed() async throws {
        let database = try await TestDatabase.make()
        let connectors = ConnectorRepository(database.pool)
        let (user, _, connector) = try await database.connectedUser()
        #expect(
            try await !connectors.markReconnectRequired(
                connector, of: user, expectedVersion: 7, reason: "invalid_grant"))
        #expect(
            try await connectors.markReconnectRequired(connector, of: user, expectedVersion: 1, reason: "invalid_grant")
        )
        #expect(
            try await !connectors.markReconnectRequired(
                connector, of: user, expectedVersion: 1, reason: "invalid_grant"))
        #expect(try await connectors.find(connector, of: user)?.status == .reconnectRequired)
        #expect(try await database.count("alfred.schedules where enabled") == 0)
        #expect(
            try await database.count(
                "alfred.audit_events where event_type = 'CONNECTOR_RECONNECT_REQUIRED' and result = 'FAILURE'") == 1)
    }
}

@Suite struct OAuthStateTests {
    private func state(_ user: UUID, lifetime: Duration = .seconds(600)) -> NewOAuthState {
        NewOAuthState(
            id: UUID(), user: user, stateSHA256: .random(32), redirectURI: "https://example.com/callback",
            sealedVerifier: [1, 2, 3], sealedKeyVersion: 1, lifetime: lifetime)
    }

    @Test func isClaimedByOneCallbackAndCanBeReleased() async throws {
        let database = try await TestDatabase.make()
        let states = OAuthStateRepository(database.pool)
        let (user, other) = (try await database.user(), try await database.user())
        let new = state(user)
        try await states.insert(new)
        #expect(try await states.claim(user: other, stateSHA256: new.stateSHA256) == nil)
        let claims = try await withThrowingTaskGroup(of: ClaimedOAuthState?.self) { group in
            for _ in 0..<10 { group.addTask { try await states.claim(user: user, stateSHA256: new.stateSHA256) } }
            return try await group.reduce(into: [ClaimedOAuthState]()) { if let claim = $1 { $0.append(claim) } }
        }
        #expect(
            claims == [
                ClaimedOAuthState(id: new.id, sealedVerifier: [1, 2, 3], redirectURI: "https://example.com/callback")
            ])
        try await states.release(new.id, of: user)
        #expect(try await states.claim(user: user, stateSHA256: new.stateSHA256) != nil)
        try await database.sql("update alfred.oauth_states set claimed_at = now() - interval '61 seconds'")
        #expect(try await states.claim(user: user, stateSHA256: new.stateSHA256) != nil)
        try await states.consume(new.id, of: user)
        try await states.release(new.id, of: user)
        #expect(try await states.claim(user: user, stateSHA256: new.stateSHA256) == nil)
    }

    @Test func expires() async throws {
        let database = try await TestDatabase.make()
        let new = state(try await database.user(), lifetime: .zero)
        try await OAuthStateRepository(database.pool).insert(new)
        #expect(
            try await OAuthStateRepository(database.pool).claim(user: new.user, stateSHA256: new.stateSHA256) == nil)
    }

    @Test func keepsTheTenLatest() async throws {
        let database = try await TestDatabase.make()
        let states = OAuthStateRepository(database.pool)
        let user = try await database.user()
        var made: [NewOAuthState] = []
        for _ in 0..<12 {
            made.append(state(user))
            try await states.insert(made[made.count - 1])
        }
        #expect(try await database.count("alfred.oauth_states") == 10)
        #expect(try await states.claim(user: user, stateSHA256: made[1].stateSHA256) == nil)
        #expect(try await states.claim(user: user, stateSHA256: made[2].stateSHA256) != nil)
    }
}
