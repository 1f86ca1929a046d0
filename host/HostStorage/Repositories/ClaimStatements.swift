extension JobRepository {
    // How it finds work: the earliest due rows of each lane, of each user at most the first eight (see `ready`), so that
    // with $6 = $7 that many times (running jobs + free places) of them hold the earliest job of everybody who may run
    // one. Per user and lane at most (limit − running) rows become candidates, the n-th of them with the n-th free slot,
    // so that claimers who see the same state never want one slot for two jobs. The selects that lock repeat the
    // condition on the locked row, so that a row another worker claimed since this statement's snapshot is not taken.
    // For each row claimed the user's next parked one moves up. Always answers at least one row; the last column says
    // whether more may be found farther on.
    //
    // How it is quick: rows are looked up one by one and by arrays of ids, so that no plan joins the table; states stand
    // in a `case` there, so that the whole index of what is pending is not read beside the ids. The n-th of a user is
    // counted over all users in one go: a window that is partitioned costs for each partition.
    static let claimDue = Statement.write(
        """
        with busy as materialized (
            select user_id, lane, count(*) as taken, case when $4 > 1 then array(
                select s::smallint from generate_series(0, $4 - 1) s where s::smallint <> all(array_agg(j.user_slot))
                order by s) end as free
            from alfred.jobs j where state = 'RUNNING' group by user_id, lane),
        lanes as materialized (
            select lane, places,
                $6 * places + $7 * (select count(*) from busy where busy.lane = values.lane) as reach
            from (values (0::smallint, $2), (1::smallint, least($2, $3))) values(lane, places) where places > 0),
        near as materialized (
            select l.lane, j.id, j.user_id, j.due_at from lanes l cross join lateral (
                select id, user_id, due_at from alfred.jobs
                where lane = l.lane and state = 'PENDING' and ready and due_at <= now()
                order by due_at, id limit l.reach) j),
        candidates as (
            select id, user_id, lane, due_at, coalesce(free[place], (place - 1)::smallint) as slot
            from (
                select n.*, coalesce(b.taken, 0) as taken, b.free,
                    row_number() over (order by n.lane, n.user_id, n.due_at, n.id)
                        - rank() over (order by n.lane, n.user_id) + 1 as place
                from near n left join busy b on b.user_id = n.user_id and b.lane = n.lane) ranked
            where place <= $4 - taken),
        locked_prompt as (
            select w.id, w.due_at, c.slot
            from (select * from candidates where lane = 0 order by due_at, id) c
            cross join lateral (
                select j.id, j.due_at from alfred.jobs j
                where j.state = 'PENDING' and j.due_at <= now()
                    and j.id = c.id and exists (
                        select from alfred.users u
                        where u.id = c.user_id and u.status = 'ACTIVE' and u.frozen_at is null)
                limit 1 for update of j skip locked) w
            limit $2),
        locked_background as (
            select w.id, w.due_at, c.slot
            from (select * from candidates where lane = 1 order by due_at, id) c
            cross join lateral (
                select j.id, j.due_at from alfred.jobs j
                where j.state = 'PENDING' and j.due_at <= now()
                    and j.id = c.id and exists (
                        select from alfred.users u
                        where u.id = c.user_id and u.status = 'ACTIVE' and u.frozen_at is null)
                limit 1 for update of j skip locked) w
            limit least($2, $3)),
        placed as (
            select array_agg(id) as ids, array_agg(slot) as slots from (
                select id, slot from (select * from locked_prompt union all select * from locked_background) l
                where slot is not null order by due_at, id limit $2) first),
        claimed as (
            update alfred.jobs j set state = 'RUNNING', lease_owner = $1, lease_token = j.lease_token + 1,
                lease_expires_at = now() + make_interval(secs => $5), last_run_at = now(),
                user_slot = (select slots from placed)[array_position((select ids from placed), j.id)],
                updated_at = now()
            where j.id = any((select ids from placed)::uuid[]) and case j.state when 'PENDING' then j.due_at <= now() end
            returning j.id, j.user_id, j.lane, j.lease_token, j.type, j.request_id, j.due_at,
                coalesce(j.first_due_at, j.due_at) as first_due_at, j.expires_at,
                j.payload_ciphertext, j.sealed_key_version, j.attempts, j.deferrals, j.max_attempts,
                j.idempotency_key, j.traceparent),
        next as (
            select n.id from (select user_id, lane, count(*) as taken from claimed group by user_id, lane) c
            cross join lateral (
                select id from alfred.jobs
                where user_id = c.user_id and lane = c.lane and state = 'PENDING' and not ready
                order by due_at, id limit c.taken for update skip locked) n),
        promoted as (
            update alfred.jobs j set ready = true
            where j.id = any(array(select id from next)) and case j.state when 'PENDING' then true end)
        select c.id, c.user_id, c.lease_token, c.type, c.request_id, c.first_due_at, c.expires_at,
            coalesce(c.expires_at <= now(), false),
            greatest(extract(epoch from clock_timestamp() - c.first_due_at), 0)::float8,
            c.payload_ciphertext, c.sealed_key_version, c.attempts, c.deferrals, c.max_attempts, c.idempotency_key,
            c.traceparent,
            exists (select from lanes l where (select count(*) from near n where n.lane = l.lane) >= l.reach)
        from (values (1)) one left join claimed c on true
        order by c.due_at, c.id
        """)

    /// Parked jobs of users who have too few in the queue: after deletions, and after inserts that met a claim. Begins at
    /// a random user and goes a bounded number of steps, so that its cost is bounded and everybody's turn comes.
    static let promoteParked = Statement.write(
        """
        with recursive people(lane, user_id, step) as (
            (select f.lane, f.user_id, 1 from (
                select lane, user_id from alfred.jobs
                where state = 'PENDING' and not ready and user_id >= $1 order by user_id, lane limit 1) f)
            union all
            select n.lane, n.user_id, p.step + 1 from people p cross join lateral (
                select lane, user_id from alfred.jobs
                where state = 'PENDING' and not ready and (user_id, lane) > (p.user_id, p.lane)
                order by user_id, lane limit 1) n
            where p.step < $2),
        next as (
            select n.id from people p cross join lateral (
                select first.id from (
                    select id, ready from alfred.jobs
                    where user_id = p.user_id and lane = p.lane and state = 'PENDING'
                    order by due_at limit 8) first
                where not first.ready) n),
        locked as (select j.id from next n join alfred.jobs j on j.id = n.id for update of j skip locked)
        update alfred.jobs j set ready = true from locked l
        where j.id = l.id and j.state = 'PENDING' and not j.ready
        """)
}
