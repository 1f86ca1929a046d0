import Foundation
import Testing

@testable import HostStorage

/// Re-sealing as the operator's role sees it.
@Suite struct KeyRotationRepositoryTests {
    /// A user with one sealed row in every table that has them, all under version 1.
    private func populate(_ database: TestDatabase) async throws -> UUID {
        let (user, device, _) = try await database.connectedUser()
        let job = UUID()
        try await database.sql(
            """
            insert into alfred.jobs (id, user_id, type, due_at, state, payload_ciphertext, sealed_key_version,
                idempotency_key) values ($1, $2, 'CALENDAR_SCAN', now(), 'DONE', '\\x01', 1, 'k')
            """, [.uuid(job), .uuid(user)])
        try await database.sql(
            """
            insert into alfred.dead_letter_jobs (user_id, job_id, type, idempotency_key, attempts, reason_code,
                reason_message, payload_ciphertext, sealed_key_version)
            values ($1, $2, 'CALENDAR_SCAN', 'k', 1, 'X', 'x', '\\x01', 1)
            """, [.uuid(user), .uuid(job)])
        try await database.sql(
            """
            insert into alfred.push_outbox (id, user_id, device_id, action_key, kind, payload_ciphertext,
                sealed_key_version, expires_at) values ($1, $2, $3, 'a', 'K', '\\x01', 1, now())
            """, [.uuid(UUID()), .uuid(user), .uuid(device)])
        try await database.sql(
            """
            insert into alfred.assistant_sessions (user_id, session_id, last_capability, turn_count,
                memory_ciphertext, sealed_key_version, record_version, expires_at)
            values ($1, $2, 'c', 1, '\\x01', 1, 5, now())
            """, [.uuid(user), .uuid(UUID())])
        try await database.sql(
            """
            insert into alfred.idempotent_answers (id, user_id, route, key_hash, request_hash, locked_until, status,
                body_ciphertext, sealed_key_version, expires_at)
            values ($1, $2, 'r', $3, $3, now(), 200, '\\x01', 1, now())
            """, [.uuid(UUID()), .uuid(user), .bytes(.random(32))])
        try await database.sql(
            """
            insert into alfred.pending_revocations (user_id, connector_id, provider, refresh_token_ciphertext,
                record_version, token_key_id, token_version) values ($1, $2, 'google', '\\x01', 1, 'k', 1)
            """, [.uuid(user), .uuid(UUID())])
        return user
    }

    @Test func theOperatorFindsAndReplacesTheRowsOfEveryTable() async throws {
        let database = try await TestDatabase.make()
        let user = try await populate(database)
        let rotation = KeyRotationRepository(try database.anotherPool(role: "alfred_operator"))
        #expect(try await rotation.uses().map(\.table) == SealedTable.allCases)
        for table in SealedTable.allCases where !table.isThroughRecordPort {
            let rows = try await rotation.rows(of: table, notUnder: 2, after: nil, atMost: 256)
            let row = try #require(rows.first, "\(table)")
            #expect(rows.count == 1 && row.user == user && row.recordVersion == (table == .assistantSessions ? 5 : 0))
            #expect(try await rotation.rows(of: table, notUnder: 2, after: row.id, atMost: 256).isEmpty)
            #expect(try await rotation.replace(in: table, [(row, [7, 7])], keyVersion: 2) == 1, "\(table)")
            #expect(try await rotation.replace(in: table, [(row, [8, 8])], keyVersion: 2) == 0, "old bytes are gone")
            #expect(try await rotation.rows(of: table, notUnder: 2, after: nil, atMost: 256).isEmpty)
        }
        let uses = try await rotation.uses().filter { $0.keyVersion != 2 }
        #expect(
            uses == [
                KeyUse(table: .connectors, keyVersion: 1, rows: 1),
                KeyUse(table: .pendingRevocations, keyVersion: 1, rows: 1),
            ])
    }

    @Test func theRecordIDIsTheOneThatWasSealed() async throws {
        let database = try await TestDatabase.make()
        _ = try await populate(database)
        let rotation = KeyRotationRepository(database.pool)
        func row(_ table: SealedTable) async throws -> SealedRow? {
            try await rotation.rows(of: table, notUnder: 2, after: nil, atMost: 1).first
        }
        #expect(try await row(.devices)?.recordID == "phone")
        let job = try #require(try await row(.jobs))
        #expect(job.recordID == job.id.uuidString.lowercased())
        #expect(try await row(.deadLetterJobs)?.recordID == job.recordID)
        let session = try await database.sql("select session_id::text from alfred.assistant_sessions")
        #expect(try await row(.assistantSessions)?.recordID == session.required().text(0))
    }

    @Test func rowsOfADeletedUserDoNotHoldUpOthers() async throws {
        let database = try await TestDatabase.make()
        let users = [try await database.user(), try await database.user()]
        for user in users { try await database.register(user, "phone") }
        let rotation = KeyRotationRepository(try database.anotherPool(role: "alfred_operator"))
        let rows = try await rotation.rows(of: .devices, notUnder: 2, after: nil, atMost: 256)
        try await database.sql("update alfred.users set status = 'DELETED' where id = $1", [.uuid(users[0])])
        let written = try await rotation.replace(in: .devices, rows.map { ($0, [7]) }, keyVersion: 2)
        #expect(written == 1)
        let left = try await rotation.rows(of: .devices, notUnder: 2, after: nil, atMost: 256)
        #expect(left.map(\.user) == [users[0]])
    }

    @Test func remembersHowFarEachTableCame() async throws {
        let database = try await TestDatabase.make()
        let rotation = KeyRotationRepository(try database.anotherPool(role: "alfred_operator"))
        #expect(try await rotation.progress(of: .jobs, to: 2) == nil)
        var progress = RewrapProgress(total: 10)
        try await rotation.save(progress, of: .jobs, from: 1, to: 2)
        progress = RewrapProgress(lastID: UUID(), total: 10, done: 4, failed: 1, isDone: true)
        try await rotation.save(progress, of: .jobs, from: 1, to: 2)
        #expect(try await rotation.progress(of: .jobs, to: 2) == progress)
        #expect(try await rotation.progress(of: .jobs, to: 3) == nil)
    }

    @Test func aRecordPutForARotationLeavesTheConnectorsStatusAlone() async throws {
        let database = try await TestDatabase.make()
        let (user, _, connector) = try await database.connectedUser()
        try await database.sql("update alfred.connectors set status = 'REVOKED', revoked_at = now()")
        let port = SealedRecordRepository(try database.anotherPool(role: "alfred_operator"), keepsStatus: true)
        let write = SealedRecordWrite(
            user: user, connector: connector, provider: .google, expectedVersion: 1, newVersion: 2, keyID: "k",
            keyVersion: 2, sealed: [2])
        #expect(try await port.put(write) == .stored)
        #expect(try await port.put(write) == .stored, "repeated")
        #expect(try await database.count("alfred.connectors where status = 'REVOKED' and token_version = 2") == 1)
    }

    @Test func retiresAVersionAndSaysHowManyKeysThatWere() async throws {
        let database = try await TestDatabase.make()
        let records = SealedRecordRepository(database.pool)
        for version in 1...2 {
            _ = try await records.insertWrappedKey(
                keyID: "k", version: version, kmsProvider: "local", wrapped: [1],
                lineageMAC: version == 1 ? nil : [1])
        }
        let rotation = KeyRotationRepository(try database.anotherPool(role: "alfred_operator"))
        #expect(try await rotation.retire(version: 1) == 1)
        #expect(try await rotation.retire(version: 9) == 0)
        let keys = try await rotation.wrappedKeys()
        #expect(keys.map(\.state) == ["RETIRED", "ACTIVE"] && keys.map(\.hasLineage) == [false, true])
    }
}
