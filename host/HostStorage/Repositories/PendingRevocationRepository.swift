public import FoundationEssentials

/// Grants of erased users that are not revoked yet, tried once a day; and grants that nobody uses, kept alive.
public struct PendingRevocationRepository: Sendable {
    private let pool: PostgresPool

    public init(_ pool: PostgresPool) { self.pool = pool }

    /// Takes those that are due; each is due again a day later.
    public func claim(limit: Int) async throws(StorageError) -> [(user: UUID, connector: UUID)] {
        try await pool.query(Self.claimDue, [.int(limit)]).map { row throws(StorageError) in
            (user: try row.uuid(0), connector: try row.uuid(1))
        }
    }

    /// The try could not be made; soon again.
    public func postpone(_ connector: UUID, by pause: Duration) async throws(StorageError) {
        _ = try await pool.query(Self.setSoon, [.uuid(connector), .double(pause.inSeconds)])
    }

    /// The grant is revoked: the record goes, and the user sees one less that is not.
    public func finish(_ connector: UUID, of user: UUID) async throws(StorageError) {
        _ = try await pool.query(Self.remove, [.uuid(connector), .uuid(user)])
    }

    /// Deletes the records that were tried for as long as they may be kept; returns how many.
    public func deleteExpired() async throws(StorageError) -> Int {
        try await pool.query(Self.deleteOld).affected
    }

    // MARK: - Idle grants

    /// Takes connectors whose grant nobody has refreshed on purpose for `age`; each is due again after that time.
    public func claimIdle(for age: Duration, limit: Int) async throws(StorageError) -> [(user: UUID, connector: UUID)] {
        try await pool.query(Self.takeIdle, [.double(age.inSeconds), .int(limit)]).map { row throws(StorageError) in
            (user: try row.uuid(0), connector: try row.uuid(1))
        }
    }

    /// A refresh did not come through; again after `pause`, where idle is `age`.
    public func retryIdle(_ connector: UUID, of user: UUID, age: Duration, pause: Duration) async throws(StorageError) {
        let parameters: [SQLValue] = [.uuid(connector), .uuid(user), .double((age - pause).inSeconds)]
        do {
            _ = try await pool.query(Self.setIdle, parameters)
        } catch {
            guard error == .userDeleted else { throw error }
        }
    }
}

extension PendingRevocationRepository {
    private static let claimDue = Statement.write(
        """
        with due as (
            select id from alfred.pending_revocations where next_attempt_at <= now() and delete_after > now()
            order by next_attempt_at, id limit $1 for update skip locked)
        update alfred.pending_revocations p set attempts = p.attempts + 1,
            next_attempt_at = now() + interval '1 day'
        from due where p.id = due.id and p.next_attempt_at <= now()
        returning p.user_id, p.connector_id
        """)

    private static let setSoon = Statement.write(
        """
        update alfred.pending_revocations set attempts = attempts - 1,
            next_attempt_at = now() + make_interval(secs => $2)
        where connector_id = $1 and attempts > 0
        """)

    private static let remove = Statement.write(
        """
        with gone as (
            delete from alfred.pending_revocations where connector_id = $1 and user_id = $2 returning user_id)
        update alfred.privacy_delete_requests r set
            unrevoked_connectors = r.unrevoked_connectors - 1, updated_at = now()
        from gone where r.user_id = gone.user_id and r.unrevoked_connectors > 0
        """)

    private static let deleteOld = Statement.write("delete from alfred.pending_revocations where delete_after <= now()")

    private static let takeIdle = Statement.write(
        """
        with idle as (
            select c.id from alfred.connectors c
            join alfred.users u on u.id = c.user_id and u.status = 'ACTIVE' and u.frozen_at is null
            where c.status = 'ACTIVE'
                and coalesce(c.kept_alive_at, c.connected_at) < now() - make_interval(secs => $1)
            order by coalesce(c.kept_alive_at, c.connected_at) limit $2 for update of c skip locked)
        update alfred.connectors c set kept_alive_at = now()
        from idle where c.id = idle.id and c.status = 'ACTIVE'
        returning c.user_id, c.id
        """)

    private static let setIdle = Statement.write(
        """
        update alfred.connectors set kept_alive_at = now() - make_interval(secs => $3)
        where id = $1 and user_id = $2 and status = 'ACTIVE'
        """)
}
