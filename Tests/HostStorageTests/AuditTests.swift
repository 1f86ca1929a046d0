import Foundation
import Testing

@testable import HostStorage

@Suite struct AuditTests {
    @Test(arguments: [
        (AuditValue.ref("a b"), AuditValue.redacted), (.ref("phone-1"), "phone-1"), (.ref(""), AuditValue.redacted),
        (.ref(String(repeating: "a", count: 129)), AuditValue.redacted), (.ref("x\",\"y"), AuditValue.redacted),
        (.code("bad code"), AuditValue.redacted), (.code("token_moved"), "token_moved"),
        (.code("user@example.com"), AuditValue.redacted),
        (.measurement(String(repeating: "a", count: 512)), String(repeating: "a", count: 512)),
        (.localTime("7:00"), AuditValue.redacted), (.localTime("07:00"), "07:00"), (.date("2026-11-01"), "2026-11-01"),
        (.date("Nov 1"), AuditValue.redacted), (.timeZone("Etc/GMT+5"), "Etc/GMT+5"),
        (.timeZone("my zone"), AuditValue.redacted),
        (.timeZone(String(repeating: "a", count: 65)), AuditValue.redacted),
        (.uri("alfred://oauth/google/callback"), "alfred://oauth/google/callback"),
        (.uri("https://x/?code=secret"), AuditValue.redacted), (.int(-3), "-3"), (.bool(true), "true"),
    ])
    func storesOnlyWhatFitsTheField(_ value: AuditValue, _ stored: String) {
        #expect(value.stored == stored)
    }

    @Test func redactsWhatDoesNotFit() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let audit = AuditRepository(database.pool)
        try await audit.append(
            .deviceRegistered(deviceIdentifier: "Anna's phone, call 555", environment: .production), for: user)
        let entry = try #require(try await audit.page(of: user).items.first)
        #expect(entry.metadata == ["device_id": "[REDACTED]", "environment": "production"])
        #expect(entry.succeeded)
        #expect(entry.connector == nil)
    }

    @Test func pagesStayStableUnderInserts() async throws {
        let database = try await TestDatabase.make()
        let (user, other) = (try await database.user(), try await database.user())
        let audit = AuditRepository(database.pool)
        // Twelve rows with equal times, so that the id has to decide.
        try await database.sql(
            """
            insert into alfred.audit_events (user_id, event_type, result, created_at)
            select $1, 'E' || n, 'SUCCESS', timestamptz '2026-01-01 00:00:00.123456+00' + (n / 12) * interval '1 microsecond'
            from generate_series(1, 120) n
            """, [.uuid(user)])
        let before = Set(
            try await database.sql("select id from alfred.audit_events").map { row throws(StorageError) in
                try row.uuid(0)
            })
        var seen: [UUID] = []
        var cursor: AuditCursor?
        repeat {
            let page = try await audit.page(of: user, after: cursor)
            seen += page.items.map(\.id)
            cursor = try page.next.map { try #require(AuditCursor($0.text)) }
            for someone in [user, other] {
                try await audit.append(
                    .googleConnectStarted(redirectURI: "alfred://oauth/google/callback"), for: someone)
            }
        } while cursor != nil
        #expect(seen.count == 120)
        #expect(Set(seen) == before)
    }

    /// Whatever the times and the length of a page: each event once, newest first, and none that came meanwhile.
    @Test func anyTrailIsReadInPagesOfAnyLength() async throws {
        let database = try await TestDatabase.make()
        let audit = AuditRepository(database.pool)
        for round in 0..<24 {
            let user = try await database.user()
            let (events, limit) = (Int.random(in: 0...40), Int.random(in: 1...9))
            try await database.sql(
                """
                insert into alfred.audit_events (user_id, event_type, result, created_at)
                select $1, 'E', 'SUCCESS', timestamptz '2026-01-01 00:00:00+00' + floor(random() * 8) * interval '1 microsecond'
                from generate_series(1, $2::int) n
                """, [.uuid(user), .int(events)])
            let expected = try await database.sql(
                "select id from alfred.audit_events where user_id = $1 order by created_at desc, id desc",
                [.uuid(user)]
            ).map { row throws(StorageError) in try row.uuid(0) }
            var (seen, pages): ([UUID], Int) = ([], 0)
            var cursor: AuditCursor?
            repeat {
                let page = try await audit.page(of: user, after: cursor, limit: limit)
                #expect(page.items.count == limit || page.next == nil)
                seen += page.items.map(\.id)
                pages += 1
                cursor = try page.next.map { try #require(AuditCursor($0.text)) }
                try await audit.append(.googleConnectStarted(redirectURI: "a://b"), for: user)
            } while cursor != nil
            #expect(seen == expected, "round \(round): \(events) events, pages of \(limit)")
            #expect(pages == max(1, (events + limit - 1) / limit))
        }
    }

    /// A page far down costs what the first one does: the scan of the index begins at the cursor, in the plan that is kept
    /// for all cursors.
    @Test func aPageReadsNothingBeforeItsCursor() async throws {
        let database = try await TestDatabase.make()
        let plan = try await database.pool.withTransaction { tx throws(StorageError) in
            for setting in ["plan_cache_mode = force_generic_plan", "enable_seqscan = off", "enable_sort = off"] {
                try await tx.query(.write("set local \(setting)"))
            }
            try await tx.query(
                .write("prepare audit_page (uuid, bigint, uuid, bigint) as \(AuditRepository.select.sql)"))
            let some = "'\(UUID())'"
            return try await tx.query(.write("explain execute audit_page (\(some), 1, \(some), 51)"))
                .map { row throws(StorageError) in try row.text(0) }.joined(separator: "\n")
        }
        #expect(plan.contains("Index Cond: ((user_id = $1) AND (ROW(created_at, id) < ROW("), "\(plan)")
        #expect(!plan.contains("Filter:") && !plan.contains("Sort"), "\(plan)")
    }

    @Test func theLastPageHasNoCursorEvenWhenFull() async throws {
        let database = try await TestDatabase.make()
        let user = try await database.user()
        let audit = AuditRepository(database.pool)
        for _ in 0..<4 { try await audit.append(.googleConnectStarted(redirectURI: "a://b"), for: user) }
        let first = try await audit.page(of: user, limit: 2)
        #expect(first.items.count == 2)
        let next: AuditCursor = try #require(first.next)
        let second = try await audit.page(of: user, after: next, limit: 2)
        #expect(second.items.count == 2)
        #expect(second.next == nil)
    }

    @Test(arguments: [
        "", "x", "1", "1|x", "|\(UUID())", "1|\(UUID())|", "-1|\(UUID())", "99999999999999999999|\(UUID())",
        "0123456789012345|\(UUID())",
    ])
    func refusesAMalformedCursor(_ text: String) {
        #expect(AuditCursor(text) == nil)
    }
}
