extension OutboxRepository {
    /// Only for a device that is still the user's and enabled; at most once per action and device.
    static let insert = Statement.write(
        """
        insert into alfred.push_outbox (
            id, user_id, device_id, job_id, action_key, kind, payload_ciphertext, sealed_key_version,
            ignore_quiet_hours, expires_at, request_id)
        select $1, $2, d.id, $4, $5, $6, $7, $8, $9, $10, $11
        from alfred.devices d where d.id = $3 and d.user_id = $2 and d.disabled_at is null
        on conflict (user_id, action_key, device_id) do nothing
        """)

    static let claimDue = Statement.write(
        """
        with due as (
            select p.id from alfred.push_outbox p
            join alfred.users u on u.id = p.user_id and u.status = 'ACTIVE' and u.frozen_at is null
            where p.state = 'PENDING' and p.next_attempt_at <= now() and p.expires_at > now()
            order by p.next_attempt_at, p.id limit $2 for update of p skip locked),
        claimed as (
            update alfred.push_outbox p set state = 'SENDING', attempts = p.attempts + 1,
                lease_token = p.lease_token + 1, lease_owner = $1,
                lease_expires_at = now() + make_interval(secs => $3), updated_at = now()
            from due where p.id = due.id and p.state = 'PENDING' and p.next_attempt_at <= now()
            returning p.*)
        select c.id, c.user_id, c.lease_token, c.kind, c.action_key, c.payload_ciphertext, c.sealed_key_version,
            c.ignore_quiet_hours, c.expires_at, c.attempts, d.id, d.device_identifier, d.environment,
            d.apns_token_ciphertext, d.sealed_key_version, j.id, j.type, c.request_id, d.token_registered_at,
            d.disabled_at is not null
        from claimed c
        join alfred.devices d on d.id = c.device_id
        left join alfred.jobs j on j.id = c.job_id
        order by c.next_attempt_at, c.id
        """)

    static let setOutcome = Statement.write(
        """
        update alfred.push_outbox set state = $3, last_error_code = $4,
            next_attempt_at = case when $3 = 'PENDING'
                then coalesce($6, now() + make_interval(secs => coalesce($5, 0))) else next_attempt_at end,
            attempts = attempts + $7 - 1,
            finished_at = case when $3 <> 'PENDING' then now() end,
            lease_owner = null, lease_expires_at = null, updated_at = now()
        where id = $1 and state = 'SENDING' and lease_token = $2
        """)

    /// The audit row of each FAILED or EXPIRED row of `ended`, with the code it ended with.
    private static let told = """
        told as (
            insert into alfred.audit_events (user_id, event_type, result, redacted_metadata)
            select e.user_id, 'NOTIFICATION_DELIVERY_ATTEMPT', 'FAILURE', jsonb_strip_nulls(jsonb_build_object(
                'job_id', j.id::text, 'job_type', j.type, 'device_id', d.device_identifier,
                'environment', d.environment, 'outcome', 'failed', 'error_code', e.last_error_code,
                'attempt', e.attempts::text, 'kind', e.kind, 'notification_id', e.id::text,
                'request_id', case when e.request_id ~ '^[A-Za-z0-9._:@/+=-]{1,128}$' then e.request_id end))
            from ended e join alfred.devices d on d.id = e.device_id left join alfred.jobs j on j.id = e.job_id
            where e.state in ('FAILED', 'EXPIRED'))
        """

    static let expireOld = Statement.write(
        """
        with old as (
            select p.id from alfred.push_outbox p join alfred.users u on u.id = p.user_id and u.status = 'ACTIVE'
            where p.state = 'PENDING' and p.expires_at <= now()
            order by p.expires_at limit $1 for update of p skip locked),
        ended as (
            update alfred.push_outbox p set state = 'EXPIRED', last_error_code = 'EXPIRED', finished_at = now(),
                updated_at = now()
            from old where p.id = old.id and p.state = 'PENDING'
            returning p.*),
        \(told)
        select count(*) from ended
        """)

    static let reapExpired = Statement.write(
        """
        with lost as (
            select p.id from alfred.push_outbox p join alfred.users u on u.id = p.user_id and u.status = 'ACTIVE'
            where p.state = 'SENDING' and p.lease_expires_at <= now()
            order by p.lease_expires_at limit $1 for update of p skip locked),
        ended as (
            update alfred.push_outbox p set
                state = case when p.attempts >= $2 then 'FAILED' else 'PENDING' end,
                finished_at = case when p.attempts >= $2 then now() end,
                next_attempt_at = now(), last_error_code = 'LEASE_EXPIRED', lease_owner = null,
                lease_expires_at = null, updated_at = now()
            from lost where p.id = lost.id and p.state = 'SENDING'
            returning p.*),
        \(told),
        woken as (select pg_notify('alfred_outbox', '') from ended limit 1)
        select (select count(*) from ended), (select count(*) from woken)
        """)

    static let nextDue = Statement.read(
        """
        select extract(epoch from min(next_attempt_at) - now())::float8 from alfred.push_outbox
        where state = 'PENDING'
        """)
}
