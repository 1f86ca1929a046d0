extension JobRepository {
    static let announce = Statement.write("select pg_notify('alfred_jobs', '')")

    /// What ends a lease, in every update that does.
    private static let leaseEnded = "lease_owner = null, lease_expires_at = null, user_slot = null, updated_at = now()"

    /// Whether a job that comes back finds room in the queue; otherwise it moves up in its turn.
    private static let hasRoom = """
        (select count(*) < 8 from (
            select from alfred.jobs r
            where r.user_id = j.user_id and r.lane = j.lane and r.state = 'PENDING' and r.ready limit 8) there)
        """

    /// The dead letter and its audit row of each FAILED row of `ended`.
    private static func buried(reason: String, message: String) -> String {
        """
        letters as (
            insert into alfred.dead_letter_jobs (
                user_id, job_id, type, idempotency_key, attempts, reason_code, reason_message, payload_ciphertext,
                sealed_key_version)
            select user_id, id, type, idempotency_key, attempts, \(reason), \(message), payload_ciphertext,
                sealed_key_version
            from ended where state = 'FAILED'
            on conflict (job_id) do update set attempts = excluded.attempts, reason_code = excluded.reason_code,
                reason_message = excluded.reason_message, failed_at = now(), redriven_at = null),
        told as (
            insert into alfred.audit_events (user_id, event_type, result, redacted_metadata)
            select user_id, 'JOB_DEAD_LETTERED', 'FAILURE', jsonb_strip_nulls(jsonb_build_object(
                'job_id', id::text, 'job_type', type, 'reason', \(reason), 'attempts', attempts::text,
                'request_id', case when request_id ~ '^[A-Za-z0-9._:@/+=-]{1,128}$' then request_id end))
            from ended where state = 'FAILED')
        """
    }

    /// One attempt more: PENDING after a pause, or FAILED after the last. `floor` is in seconds; no pause if `atOnce`.
    private static func attempted(
        base: String, maximum: String, floor: String, code: String, message: String, atOnce: String = "false"
    ) -> String {
        """
        attempts = j.attempts + 1, ready = \(hasRoom),
        state = case when j.attempts + 1 >= j.max_attempts then 'FAILED' else 'PENDING' end,
        finished_at = case when j.attempts + 1 >= j.max_attempts then now() end,
        due_at = case when j.attempts + 1 >= j.max_attempts then j.due_at when \(atOnce) then now() else now() + make_interval(secs => greatest(
            least(\(base) * power(2, least(j.attempts, 30)), \(maximum)) * (0.5 + random() / 2),
            least(\(floor), \(maximum)))) end,
        last_error_code = \(code), last_error_message = \(message), \(leaseEnded)
        """
    }

    static let reapExpired = Statement.write(
        """
        with expired as (
            select j.id from alfred.jobs j join alfred.users u on u.id = j.user_id and u.status = 'ACTIVE'
            where j.state = 'RUNNING' and j.lease_expires_at <= now()
            order by j.lease_expires_at limit $5 for update of j skip locked),
        ended as (
            update alfred.jobs j set
            \(attempted(base: "$3", maximum: "$4", floor: "0", code: "$1", message: "$2", atOnce: "j.lane = 0"))
            from expired e where j.id = e.id and j.state = 'RUNNING' and j.lease_expires_at <= now()
            returning j.*),
        \(buried(reason: "'LEASE_EXPIRED_MAX_ATTEMPTS'", message: "$2")),
        woken as (select pg_notify('alfred_jobs', '') from ended limit 1)
        select (select count(*) from ended where state = 'PENDING'),
            (select count(*) from ended where state = 'FAILED'), (select count(*) from woken)
        """)

    static let retryOne = Statement.write(
        """
        with ended as (
            update alfred.jobs j set
            \(attempted(base: "$5", maximum: "$6", floor: "$7", code: "$3", message: "$4"))
            where j.id = $1 and j.state = 'RUNNING' and j.lease_token = $2
            returning j.*),
        \(buried(reason: "$3", message: "$4"))
        select state = 'FAILED' from ended
        """)

    static let deferOne = Statement.write(
        """
        update alfred.jobs j set state = 'PENDING', deferrals = j.deferrals + 1,
            ready = \(hasRoom), due_at = now() + make_interval(
                secs => least(power(2, least(j.deferrals, 10)), 60) * (0.5 + random() / 2)),
            last_error_code = $3, last_error_message = $4, \(leaseEnded)
        where j.id = $1 and j.state = 'RUNNING' and j.lease_token = $2
        """)

    static let postponeOne = Statement.write(
        """
        update alfred.jobs j set state = 'PENDING', ready = \(hasRoom), due_at = greatest($3, now()),
            first_due_at = greatest($3, now()), \(leaseEnded)
        where j.id = $1 and j.state = 'RUNNING' and j.lease_token = $2
        """)

    static let failOne = Statement.write(
        """
        with ended as (
            update alfred.jobs j set state = 'FAILED', attempts = j.attempts + 1, finished_at = now(),
                last_error_code = $3, last_error_message = $4, \(leaseEnded)
            where j.id = $1 and j.state = 'RUNNING' and j.lease_token = $2
            returning j.*),
        \(buried(reason: "$3", message: "$4"))
        select id from ended
        """)

    static let setDone = Statement.write(
        """
        update alfred.jobs set state = 'DONE', outcome = $3, finished_at = now(), last_error_code = null,
            last_error_message = null, \(leaseEnded)
        where id = $1 and state = 'RUNNING' and lease_token = $2
        """)

    /// Many at once, for executions without an effect: ids, tokens, outcomes.
    ///
    /// The state stands in a `case` so that the rows are found by their ids alone, never by an index of running jobs.
    static let setManyDone = Statement.write(
        """
        update alfred.jobs j set state = 'DONE', outcome = ($3::text[])[array_position($1, j.id)],
            finished_at = now(), last_error_code = null, last_error_message = null, lease_owner = null, lease_expires_at = null, user_slot = null,
            updated_at = now()
        where j.id = any($1::uuid[])
            and case j.state when 'RUNNING' then j.lease_token end = ($2::int8[])[array_position($1, j.id)]
        returning j.id
        """)

    // Rows that are being ended at this moment are passed over, so that the two never wait for each other crosswise.
    static let extendMany = Statement.write(
        """
        with held as (
            select j.id from unnest($1::uuid[], $2::int8[]) as e(id, token)
            join alfred.jobs j on j.id = e.id and j.lease_token = e.token
            where j.state = 'RUNNING' for update of j skip locked)
        update alfred.jobs j set lease_expires_at = now() + make_interval(secs => $3)
        from held h where j.id = h.id
        returning j.id
        """)

    static let stillHeld = Statement.read(
        """
        select j.id from unnest($1::uuid[], $2::int8[]) as e(id, token)
        join alfred.jobs j on j.id = e.id and j.lease_token = e.token
        where j.state = 'RUNNING'
        """)

    static let nextDue = Statement.read(
        """
        select coalesce(bool_or(due_at <= now()), false),
            extract(epoch from min(due_at) filter (where due_at > now()) - now())::float8
        from (values (0::smallint), (1::smallint)) l(lane) cross join lateral (
            (select due_at from alfred.jobs where lane = l.lane and state = 'PENDING' and ready
             order by due_at limit 1)
            union all
            (select due_at from alfred.jobs where lane = l.lane and state = 'PENDING' and ready and due_at > now()
             order by due_at limit 1)) earliest
        """)

    static let countAll = Statement.read(
        """
        select type, sum(due)::int8, sum(running)::int8, sum(dead)::int8 from (
            select type, 1 as due, 0 as running, 0 as dead from alfred.jobs where state = 'PENDING' and due_at <= now()
            union all
            select type, 0, 1, 0 from alfred.jobs where state = 'RUNNING'
            union all
            select type, 0, 0, 1 from alfred.dead_letter_jobs where redriven_at is null) counted
        group by type order by type
        """)

    private static let insertColumns = """
        insert into alfred.jobs (
            id, user_id, type, idempotency_key, due_at, expires_at, payload_ciphertext, sealed_key_version, request_id,
            traceparent)
        values ($1, $2, $3, $4, greatest($5, now()), $6, $7, $8, $9, $10)
        """

    static let insert = Statement.write(
        "\(insertColumns) on conflict (user_id, type, idempotency_key) do nothing")

    // Returns whether the row is new; nothing when there was nothing to change. A row that waits for a repeat, and one
    // that is due anyway, keep their time.
    static let upsert = Statement.write(
        """
        \(insertColumns)
        on conflict (user_id, type, idempotency_key) do update set due_at = excluded.due_at,
            first_due_at = excluded.due_at, ready = excluded.ready, updated_at = now()
            where alfred.jobs.state = 'PENDING' and alfred.jobs.attempts = 0 and alfred.jobs.deferrals = 0
                and alfred.jobs.due_at <> excluded.due_at
                and not (alfred.jobs.due_at <= now() and excluded.due_at <= now())
        returning xmax = 0
        """)

    static let deleteVanished = Statement.write(
        """
        delete from alfred.jobs
        where user_id = $1 and lane = 0 and state = 'PENDING' and type = 'MEETING_REMINDER'
            and expires_at >= $2 and expires_at < $3 and idempotency_key <> all($4)
        """)

    static let selectSeen = Statement.read(
        "select message_hash from alfred.email_seen where user_id = $1 and message_hash = any($2)")

    /// Digests of mail, in the transaction of the effect that showed or judged it.
    static let insertSeen = Statement.write(
        """
        insert into alfred.email_seen (user_id, message_hash) select $1, unnest($2::bytea[])
        on conflict (user_id, message_hash) do nothing
        """)

    static let selectReminders = Statement.read(
        """
        select id, idempotency_key, due_at, expires_at from alfred.jobs
        where user_id = $1 and lane = 0 and state = 'PENDING' and type = 'MEETING_REMINDER'
            and expires_at >= $2 and expires_at < $3
        order by due_at, id limit 1000
        """)
}
