import Foundation
import Testing

@testable import HostStorage

/// Erasing a user as the worker's role does it.
@Suite struct PrivacyDeletionTests {
    /// A user with a row in every table that may hold one, and a request to be erased.
    private func fullUser(_ database: TestDatabase) async throws -> (user: UUID, connector: UUID, request: UUID) {
        let (user, device, connector) = try await database.connectedUser()
        _ = try await PreferencesRepository(database.pool).getOrCreate(user)
        let request = try await PrivacyRequestRepository(database.pool).open(for: user)
        let job = UUID()
        try await database.sql(
            """
            insert into alfred.jobs (id, user_id, type, due_at, idempotency_key) values ($1, $2, 'CALENDAR_SCAN',
                now(), 'k')
            """, [.uuid(job), .uuid(user)])
        try await database.sql(
            """
            insert into alfred.dead_letter_jobs (user_id, job_id, type, idempotency_key, attempts, reason_code,
                reason_message) values ($1, $2, 'CALENDAR_SCAN', 'k', 1, 'X', 'x')
            """, [.uuid(user), .uuid(UUID())])
        try await database.sql(
            """
            insert into alfred.push_outbox (id, user_id, device_id, action_key, kind, payload_ciphertext,
                sealed_key_version, expires_at)
            values ($1, $2, $3, 'a', 'test', '\\x01', 1, now() + interval '1 hour')
            """, [.uuid(UUID()), .uuid(user), .uuid(device)])
        try await database.sql(
            "insert into alfred.email_seen (user_id, message_hash) values ($1, $2)",
            [.uuid(user), .bytes(.random(32))])
        try await database.sql(
            """
            insert into alfred.assistant_sessions (user_id, session_id, last_capability, turn_count,
                memory_ciphertext, sealed_key_version, record_version, expires_at)
            values ($1, $2, 'c', 1, '\\x01', 1, 5, now())
            """, [.uuid(user), .uuid(UUID())])
        try await database.sql(
            """
            insert into alfred.idempotent_answers (id, user_id, route, key_hash, request_hash, locked_until,
                expires_at) values ($1, $2, 'r', $3, $3, now(), now())
            """, [.uuid(UUID()), .uuid(user), .bytes(.random(32))])
        return (user, connector, request)
    }

    private func rows(_ table: String, of user: UUID, in database: TestDatabase) async throws -> Int {
        try await database.count("alfred.\(table) where user_id = $1", [.uuid(user)])
    }

    private func worker(_ database: TestDatabase) throws -> PrivacyDeletionRepository {
        PrivacyDeletionRepository(try database.anotherPool(role: "alfred_worker"))
    }

    private func claim(_ deletions: PrivacyDeletionRepository) async throws -> PrivacyLease {
        try #require(try await deletions.claim(owner: "w", limit: 10, lease: .seconds(60)).first)
    }

    @Test func everyTableWithAUserIsErasedOrKeptOnPurpose() async throws {
        let database = try await TestDatabase.make()
        let tables = try await worker(database).tablesWithUsers()
        #expect(tables.sorted() == (ErasedTables.erased + ErasedTables.kept).sorted())
        let (user, _, _) = try await fullUser(database)
        for table in ErasedTables.erased {
            #expect(try await rows(table, of: user, in: database) > 0, "the test has nothing in \(table)")
        }
    }

    @Test func aPurgeLeavesTheTombstoneTheRequestAndOneEvent() async throws {
        let database = try await TestDatabase.make()
        let (user, connector, request) = try await fullUser(database)
        let (other, _, _) = try await fullUser(database)
        try await database.sql("delete from alfred.privacy_delete_requests where user_id = $1", [.uuid(other)])
        let before = try await rows("audit_events", of: other, in: database)
        let deletions = try worker(database)
        let lease = try await claim(deletions)
        #expect(lease.user == user && lease.request == request)
        guard case .frozen = try await deletions.freeze(lease) else { return #expect(Bool(false), "not frozen") }
        try await deletions.thinOut(lease)
        guard case .connectorLeft = try await deletions.purge(lease, unrevoked: []) else {
            return #expect(Bool(false), "a connector was neither revoked nor given up")
        }
        let stale = UnrevokedConnector(connector: connector, recordVersion: 7, reason: "x")
        guard case .connectorLeft = try await deletions.purge(lease, unrevoked: [stale]) else {
            return #expect(Bool(false), "another version was given up")
        }
        #expect(try await !deletions.complete(lease, slaHours: 24), "the user is still there")
        let left = UnrevokedConnector(connector: connector, recordVersion: 1, reason: "revoke_x")
        guard case .purged = try await deletions.purge(lease, unrevoked: [left]) else {
            return #expect(Bool(false), "not purged")
        }
        for table in ErasedTables.erased { #expect(try await rows(table, of: user, in: database) == 0, "\(table)") }
        #expect(try await rows("pending_revocations", of: user, in: database) == 1)
        #expect(try await deletions.complete(lease, slaHours: 24))
        #expect(
            try await database.count(
                "alfred.audit_events where user_id = $1 and event_type = 'PRIVACY_DELETE_ALL_COMPLETED'",
                [.uuid(user)]) == 1)
        #expect(try await rows("audit_events", of: user, in: database) == 1)
        let found = try #require(try await PrivacyRequestRepository(database.pool).find(request, of: user))
        #expect(found.status == .completed && found.unrevokedConnectors == 1 && found.completedAt != nil)
        for table in ["devices", "connectors", "jobs", "push_outbox", "schedules"] {
            #expect(try await rows(table, of: other, in: database) > 0, "another user's \(table)")
        }
        #expect(try await rows("audit_events", of: other, in: database) == before)
    }

    @Test func noTableTakesARowOfAnErasedUser() async throws {
        let database = try await TestDatabase.make()
        let triggers = try await database.sql(
            """
            select c.relname::text from pg_trigger t join pg_class c on c.oid = t.tgrelid
            where t.tgname = 'refuse_deleted_user' and t.tgenabled <> 'D'
            """
        ).map { row throws(StorageError) in try row.text(0) }
        #expect(Set(triggers) == Set(ErasedTables.erased))
        let (user, _, _) = try await fullUser(database)
        try await database.sql("update alfred.users set status = 'DELETED' where id = $1", [.uuid(user)])
        for table in ErasedTables.erased {
            let columns = try await database.sql(
                """
                select string_agg(quote_ident(attname::text), ',') from pg_attribute
                where attrelid = ('alfred.' || $1)::regclass and attnum > 0 and not attisdropped
                    and attgenerated = ''
                """, [.text(table)]
            ).required().text(0)
            // A row of before, written again as new work would write it.
            await #expect(throws: StorageError.userDeleted, "\(table)") {
                _ = try await database.sql(
                    """
                    insert into alfred.\(table) (\(columns)) select \(columns) from alfred.\(table)
                    where user_id = '\(user)' limit 1
                    """)
            }
        }
    }

    @Test func workInFlightEndsBeforeThePurgeOrFails() async throws {
        let database = try await TestDatabase.make()
        let (user, connector, _) = try await fullUser(database)
        let deletions = try worker(database)
        let lease = try await claim(deletions)
        _ = try await deletions.freeze(lease)
        let left = UnrevokedConnector(connector: connector, recordVersion: 1, reason: "x")
        let writers = try database.anotherPool(role: "alfred_api")
        let written = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<40 {
                group.addTask {
                    do {
                        if number % 2 == 0 {
                            try await AuditRepository(writers).append(
                                .preferencesUpdated(meetingReminderMinutes: 1, timeZone: "UTC"), for: user)
                        } else {
                            _ = try await DeviceRepository(writers).register(
                                DeviceRegistration(
                                    user: user, deviceIdentifier: "late-\(number)", sealedToken: [1],
                                    tokenSHA256: .random(32), sealedKeyVersion: 1, environment: .sandbox))
                        }
                        return true
                    } catch StorageError.userDeleted, StorageError.conflict {
                        return false
                    }
                }
            }
            group.addTask {
                guard case .purged = try await deletions.purge(lease, unrevoked: [left]) else {
                    throw StorageError.conflict
                }
                return false
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        // How many came before the purge is chance; none may be left of them.
        print("\(written) of 40 writes came before the purge")
        for table in ErasedTables.erased { #expect(try await rows(table, of: user, in: database) == 0, "\(table)") }
    }

    @Test func aLeaseThatEndedIsTakenByAnotherAndWritesNothingAnyMore() async throws {
        let database = try await TestDatabase.make()
        let (user, connector, request) = try await fullUser(database)
        let deletions = try worker(database)
        let old = try await claim(deletions)
        #expect(try await deletions.claim(owner: "v", limit: 10, lease: .seconds(60)).isEmpty)
        try await database.sql("update alfred.privacy_delete_requests set lease_expires_at = now()")
        let new = try await claim(deletions)
        #expect(new.token > old.token && new.attempts == 1)
        #expect(try await !deletions.heartbeat(old, extendBy: .seconds(60)))
        guard case .leaseLost = try await deletions.freeze(old) else { return #expect(Bool(false), "froze") }
        let left = UnrevokedConnector(connector: connector, recordVersion: 1, reason: "x")
        guard case .leaseLost = try await deletions.purge(old, unrevoked: [left]) else {
            return #expect(Bool(false), "purged")
        }
        let policy = RetryPolicy(base: .seconds(30), maximum: .seconds(1800))
        #expect(try await deletions.retry(old, reason: "x", countsRevocation: true, policy: policy) == nil)
        #expect(try await rows("devices", of: user, in: database) == 1)
        _ = try await deletions.purge(new, unrevoked: [left])
        // Killed after the purge: what is left is the end.
        try await database.sql("update alfred.privacy_delete_requests set lease_expires_at = now()")
        let last = try await claim(deletions)
        guard case .erased = try await deletions.freeze(last) else { return #expect(Bool(false), "not erased") }
        #expect(try await deletions.complete(last, slaHours: 24))
        let found = try #require(try await PrivacyRequestRepository(database.pool).find(request, of: user))
        #expect(found.status == .completed && found.unrevokedConnectors == 1)
    }

    @Test func triesThatFailWaitLongerAndAfterTenTheRequestSaysSo() async throws {
        let database = try await TestDatabase.make()
        let (user, _, request) = try await fullUser(database)
        let deletions = try worker(database)
        let policy = RetryPolicy(base: .seconds(30), maximum: .seconds(1800))
        for attempt in 1...11 {
            let lease = try await claim(deletions)
            #expect(lease.attempts == attempt - 1 && lease.revokeAttempts == attempt - 1)
            let status = try await deletions.retry(
                lease, reason: "revoke_provider_failed", countsRevocation: true, policy: policy)
            #expect(status == (attempt >= 10 ? .failed : .queued))
            let wait = try #require(try await deletions.timeUntilNextDue())
            let full = min(30 * pow(2, Double(attempt - 1)), 1800)
            #expect(wait.inSeconds > full / 2 - 5 && wait.inSeconds <= full, "\(attempt)")
            try await database.sql("update alfred.privacy_delete_requests set next_attempt_at = now()")
        }
        #expect(
            try await database.count("alfred.audit_events where event_type = 'PRIVACY_DELETE_ALL_FAILED'") == 11)
        let found = try #require(try await PrivacyRequestRepository(database.pool).find(request, of: user))
        #expect(found.status == .failed && found.failedAt != nil)
        try await database.sql("update alfred.privacy_delete_requests set created_at = now() - interval '25 hours'")
        let backlog = try await deletions.backlog(slaHours: 24)
        #expect(backlog.open == 1 && backlog.overdue == 1 && backlog.oldest >= .seconds(25 * 3600))
        #expect(try await deletions.backlog(slaHours: 26).overdue == 0)

        let operations = PrivacyOperations(try database.anotherPool(role: "alfred_operator"))
        try await database.sql("update alfred.privacy_delete_requests set next_attempt_at = now() + interval '1 hour'")
        let listed = try #require(try await operations.list().first)
        #expect(listed.id == request && listed.attempts == 11 && listed.reason == "revoke_provider_failed")
        #expect(try await operations.retry(request))
        #expect(try await operations.retry(UUID()) == false)
        #expect(try await deletions.timeUntilNextDue() == .zero)
    }

    @Test func whatIsPendingIsTriedDailyRevokedOrDroppedAfterThirtyDays() async throws {
        let database = try await TestDatabase.make()
        let (user, connector, request) = try await fullUser(database)
        let deletions = try worker(database)
        let lease = try await claim(deletions)
        _ = try await deletions.purge(
            lease, unrevoked: [UnrevokedConnector(connector: connector, recordVersion: 1, reason: "x")])
        #expect(try await deletions.complete(lease, slaHours: 24))
        let pool = try database.anotherPool(role: "alfred_worker")
        let (pending, records) = (PendingRevocationRepository(pool), SealedRecordRepository(pool))
        #expect(try await records.get(user: user, connector: connector) == nil)
        #expect(try await records.getPending(user: user, connector: connector)?.recordVersion == 1)
        #expect(try await pending.claim(limit: 10).isEmpty, "the first try is a day later")
        try await database.sql("update alfred.pending_revocations set next_attempt_at = now()")
        #expect(try await pending.claim(limit: 10).count == 1)
        #expect(try await pending.claim(limit: 10).isEmpty, "one a day")
        let write = SealedRecordWrite(
            user: user, connector: connector, provider: .google, expectedVersion: 1, newVersion: 2, keyID: "k",
            keyVersion: 2, sealed: [2])
        let operatorRecords = SealedRecordRepository(try database.anotherPool(role: "alfred_operator"))
        #expect(try await operatorRecords.putPending(write) == .stored)
        #expect(try await records.putPending(write) == .stored, "repeated")
        #expect(try await records.put(write) == .conflict, "no connector comes back")
        #expect(try await pending.deleteExpired() == 0)
        try await pending.finish(connector, of: user)
        #expect(try await database.count("alfred.pending_revocations") == 0)
        let requests = PrivacyRequestRepository(database.pool)
        #expect(try await requests.find(request, of: user)?.unrevokedConnectors == 0)

        try await database.sql(
            """
            insert into alfred.pending_revocations (user_id, connector_id, provider, refresh_token_ciphertext,
                record_version, token_key_id, token_version, delete_after, next_attempt_at)
            values ($1, $2, 'google', '\\x01', 1, 'k', 1, now(), now())
            """, [.uuid(user), .uuid(connector)])
        #expect(try await pending.claim(limit: 10).isEmpty)
        #expect(try await pending.deleteExpired() == 1)
        await #expect(throws: StorageError.unexpected(sqlstate: "42501"), "the API has nothing to do with it") {
            _ = try await SealedRecordRepository(try database.anotherPool(role: "alfred_api"))
                .getPending(user: user, connector: connector)
        }
    }

    @Test func anIdleGrantIsTakenOnceAMonth() async throws {
        let database = try await TestDatabase.make()
        let (user, _, connector) = try await database.connectedUser()
        let grants = PendingRevocationRepository(try database.anotherPool(role: "alfred_worker"))
        let month = Duration.seconds(30 * 86_400)
        #expect(try await grants.claimIdle(for: month, limit: 10).isEmpty)
        try await database.sql("update alfred.connectors set connected_at = now() - interval '31 days'")
        #expect(try await grants.claimIdle(for: month, limit: 10).map(\.connector) == [connector])
        #expect(try await grants.claimIdle(for: month, limit: 10).isEmpty)
        try await grants.retryIdle(connector, of: user, age: month, pause: .seconds(-1))
        #expect(try await grants.claimIdle(for: month, limit: 10).count == 1)
    }

    @Test func theWorkersRoleMayDeleteEverythingOld() async throws {
        let database = try await TestDatabase.make()
        let retention = RetentionRepository(try database.anotherPool(role: "alfred_worker"))
        for kind in RetentionRepository.Kind.allCases {
            #expect(try await retention.delete(kind, auditDays: 365) == 0, "\(kind)")
        }
    }
}
