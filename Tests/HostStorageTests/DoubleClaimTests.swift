import Foundation
import Testing

@testable import HostStorage

/// The classic double claim: a second worker whose snapshot is older than the first one's commit, and who comes to lock
/// the row after it.
@Suite struct DoubleClaimTests {
    /// The claim, held up between its snapshot and its locks until the test lets go of an advisory lock.
    private static let held: String = {
        let lanes = "least($2, $3))) values(lane, places) where"
        let gate = "least($2, $3))) values(lane, places), (select pg_advisory_xact_lock(4711)) gate where"
        return JobRepository.claimDue.sql.replacingOccurrences(of: lanes, with: gate)
    }()

    /// The same with the condition judged in the snapshot alone, not on the locked row.
    private static let moved = held.replacingOccurrences(
        of: "where j.state = 'PENDING' and j.due_at <= now()\n", with: "where true\n"
    ).replacingOccurrences(of: " and case j.state when 'PENDING' then j.due_at <= now() end", with: "")

    /// What a late claimer gets of a job that another one claimed after the late one's snapshot.
    private func lateClaim(_ sql: String) async throws -> (rows: Int, token: Int) {
        let database = try await TestDatabase.make()
        let job = try await database.enqueue(database.user())
        let (gatekeeper, late) = (try database.anotherPool(), try database.anotherPool())
        let parameters = JobClaim(
            owner: "late", maximum: 5, maximumBackground: 5, perUserLimit: 1, lease: .seconds(60)
        ).parameters(reach: (8, 8))
        let claiming = try await gatekeeper.withTransaction { tx throws(StorageError) in
            try await tx.query(.write("select pg_advisory_xact_lock(4711)"))
            let claiming = Task { try await late.query(.write(sql), parameters) }
            let isWaiting =
                (try? await eventually {
                    try await database.count(
                        """
                        pg_locks where locktype = 'advisory' and not granted and objid = 4711
                            and database = (select oid from pg_database where datname = current_database())
                        """) == 1
                }) ?? false
            #expect(isWaiting)
            do {
                #expect(try await claim(JobRepository(database.pool)).map(\.lease.job) == [job])
            } catch {
                throw StorageError.unavailable
            }
            return claiming
        }
        let rows = try await claiming.value.map { row throws(StorageError) in try row.isNull(0) }
        let token = try await database.sql("select lease_token from alfred.jobs").required().int(0)
        return (rows.count { !$0 }, token)
    }

    @Test func aClaimWithAnOldSnapshotGetsNothing() async throws {
        let late = try await lateClaim(Self.held)
        #expect(late == (0, 1))
    }

    /// Shows that the test above can fail.
    @Test func withTheConditionAwayFromTheLockedRowTheJobIsClaimedTwice() async throws {
        #expect(Self.moved != Self.held)
        let late = try await lateClaim(Self.moved)
        #expect(late == (1, 2))
    }
}
