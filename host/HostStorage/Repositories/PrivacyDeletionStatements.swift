extension PrivacyDeletionRepository {
    private static let due = """
        (r.status in ('QUEUED', 'FAILED') and r.next_attempt_at <= now()
            or r.status = 'RUNNING' and r.lease_expires_at <= now())
        """

    // The condition stands on the locked row and is repeated by the update. A lease that ended is a failed try.
    static let claimDue = Statement.write(
        """
        with due as (
            select id from alfred.privacy_delete_requests r where \(due)
            order by r.created_at, r.id limit $2 for update skip locked)
        update alfred.privacy_delete_requests r set status = 'RUNNING', lease_owner = $1,
            lease_token = r.lease_token + 1, lease_expires_at = now() + make_interval(secs => $3),
            attempts = r.attempts + case r.status when 'RUNNING' then 1 else 0 end,
            started_at = coalesce(r.started_at, now()), updated_at = now()
        from due where r.id = due.id and \(due)
        returning r.id, r.user_id, r.lease_token, r.attempts, r.revoke_attempts
        """)

    private static let held = "id = $1 and lease_token = $2 and status = 'RUNNING'"

    static let extend = Statement.write(
        """
        update alfred.privacy_delete_requests
        set lease_expires_at = now() + make_interval(secs => $3), updated_at = now()
        where \(held)
        """)

    static let nextDue = Statement.read(
        """
        select extract(epoch from min(
            case status when 'RUNNING' then lease_expires_at else next_attempt_at end) - now())::float8
        from alfred.privacy_delete_requests where status <> 'COMPLETED'
        """)

    static let countOpen = Statement.read(
        """
        select count(*), count(*) filter (where created_at < now() - make_interval(hours => $1::int)),
            coalesce(extract(epoch from now() - min(created_at)), 0)::float8,
            (select count(*) from alfred.pending_revocations)
        from alfred.privacy_delete_requests where status <> 'COMPLETED'
        """)

    static let setRetry = Statement.write(
        """
        update alfred.privacy_delete_requests r set attempts = r.attempts + 1,
            revoke_attempts = r.revoke_attempts + $3::int, failure_reason = $4,
            status = case when r.attempts + 1 >= $8 then 'FAILED' else 'QUEUED' end,
            failed_at = case when r.attempts + 1 >= $8 then coalesce(r.failed_at, now()) else r.failed_at end,
            next_attempt_at = now() + make_interval(secs => greatest(
                least($5 * power(2, least(r.attempts, 30)), $6) * (0.5 + random() / 2), least($7, $6))),
            lease_owner = null, lease_expires_at = null, updated_at = now()
        from alfred.users u
        where r.id = $1 and r.lease_token = $2 and r.status = 'RUNNING' and u.id = r.user_id
        returning r.status, now(), u.status = 'ACTIVE'
        """)

    static let setBack = Statement.write(
        """
        update alfred.privacy_delete_requests set status = 'QUEUED', next_attempt_at = now(), lease_owner = null,
            lease_expires_at = null, updated_at = now()
        where \(held)
        """)

    static let lockUser = Statement.write("select status from alfred.users where id = $1 for update")

    static let hold = Statement.write("select from alfred.privacy_delete_requests where \(held) for update")

    static let setFrozen = Statement.write(
        "update alfred.users set frozen_at = now() where id = $1 and frozen_at is null")

    static let selectUnhandled = Statement.write(
        """
        select from alfred.connectors c
        where c.user_id = $1 and c.status <> 'REVOKED' and not exists (
            select from unnest($2::uuid[], $3::int8[]) as g(id, version)
            where g.id = c.id and g.version = c.record_version)
        """)

    static let countRevoked = Statement.write(
        "select count(*) from alfred.connectors where user_id = $1 and status = 'REVOKED'")

    static let moveUnrevoked = Statement.write(
        """
        insert into alfred.pending_revocations (user_id, connector_id, provider, refresh_token_ciphertext,
            record_version, token_key_id, token_version)
        select user_id, id, provider, refresh_token_ciphertext, record_version, token_key_id, token_version
        from alfred.connectors where user_id = $1 and status <> 'REVOKED'
        """)

    static let selectTables = Statement.write(
        """
        select c.relname::text from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname = 'alfred'
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
        where c.relkind in ('r', 'p') order by c.relname
        """)

    static func deleteSome(of table: String) -> Statement {
        .write(
            """
            delete from alfred.\(table) where id in (
                select t.id from alfred.\(table) t
                join alfred.privacy_delete_requests r on r.user_id = t.user_id
                where r.id = $1 and r.lease_token = $2 and r.status = 'RUNNING' limit $3)
            """)
    }

    /// A user who is frozen stays so until everything is erased: no lease is needed for this.
    static func deleteWaiting(in queue: String) -> Statement {
        .write(
            """
            delete from alfred.\(queue) where id in (
                select q.id from alfred.\(queue) q join alfred.users u on u.id = q.user_id and u.frozen_at is not null
                where q.user_id = $1 and q.state = 'PENDING' limit $2)
            """)
    }

    static func deleteAll(of table: String) -> Statement {
        .write("delete from alfred.\(table) where user_id = $1")
    }

    static func selectLeft(in table: String) -> Statement {
        .write("select from alfred.\(table) where user_id = $1 limit 1")
    }

    static let setDeleted = Statement.write(
        """
        update alfred.users set status = 'DELETED', deleted_at = now(), frozen_at = coalesce(frozen_at, now())
        where id = $1
        """)

    static let setPurged = Statement.write(
        """
        update alfred.privacy_delete_requests set revoked_connectors = $3, unrevoked_connectors = $4,
            unrevoked_reason = $5, updated_at = now()
        where \(held)
        """)

    static let setCompleted = Statement.write(
        """
        update alfred.privacy_delete_requests r set status = 'COMPLETED', completed_at = now(), lease_owner = null,
            lease_expires_at = null, failure_reason = null, updated_at = now()
        from alfred.users u
        where r.id = $1 and r.lease_token = $2 and r.status = 'RUNNING' and u.id = r.user_id
            and u.status = 'DELETED'
        returning r.completed_at, r.revoked_connectors, r.unrevoked_connectors, r.unrevoked_reason
        """)
}
