-- Everything the first version stores. Schema-qualified throughout, so that no search_path matters.

-- Roles are shared by all databases of a cluster: made only if absent, and a race with another database is no error.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['alfred_owner', 'alfred_api', 'alfred_worker', 'alfred_operator'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin', wanted);
            exception when duplicate_object or unique_violation then
                null;
            end;
        end if;
    end loop;
    foreach wanted in array array['alfred_api', 'alfred_worker', 'alfred_operator'] loop
        begin
            execute format('alter role %I in database %I set search_path = alfred', wanted, current_database());
            execute format('alter role %I in database %I set statement_timeout = %L', wanted, current_database(), '10s');
            execute format(
                'alter role %I in database %I set idle_in_transaction_session_timeout = %L',
                wanted, current_database(), '30s');
        exception when insufficient_privilege then
            raise notice 'settings of role % must be made by an administrator', wanted;
        end;
    end loop;
end
$$;

alter schema alfred owner to alfred_owner;
alter table alfred.schema_migrations owner to alfred_owner;
set local role alfred_owner;

create table alfred.users (
    id uuid primary key,
    status text not null default 'ACTIVE' check (status in ('ACTIVE', 'DELETED')),
    frozen_at timestamptz,
    deleted_at timestamptz,
    created_at timestamptz not null default now()
);

create table alfred.devices (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references alfred.users on delete cascade,
    device_identifier text not null check (length(device_identifier) between 1 and 128),
    apns_token_ciphertext bytea not null,
    apns_token_sha256 bytea not null check (length(apns_token_sha256) = 32),
    sealed_key_version int not null,
    environment text not null check (environment in ('sandbox', 'production')),
    token_registered_at timestamptz not null default now(),
    disabled_at timestamptz,
    disabled_reason text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint devices_identifier_key unique (user_id, device_identifier),
    constraint devices_token_key unique (apns_token_sha256)
);

create table alfred.connectors (
    id uuid primary key,
    user_id uuid not null references alfred.users on delete cascade,
    provider text not null check (provider = 'google'),
    scopes text[] not null default '{}',
    refresh_token_ciphertext bytea not null,
    record_version bigint not null check (record_version >= 1),
    token_key_id text not null,
    token_version int not null,
    token_rotated_at timestamptz not null default now(),
    status text not null check (status in ('ACTIVE', 'REVOKING', 'REVOKED', 'RECONNECT_REQUIRED')),
    connected_at timestamptz,
    revoked_at timestamptz,
    last_error_code text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint connectors_provider_key unique (user_id, provider)
);

create index connectors_revoking on alfred.connectors (updated_at) where status = 'REVOKING';

create table alfred.wrapped_data_keys (
    id uuid primary key default gen_random_uuid(),
    key_id text not null,
    key_version int not null check (key_version >= 1),
    kms_provider text not null,
    wrapped_key bytea not null,
    lineage_mac bytea,
    state text not null check (state in ('ACTIVE', 'DECRYPT_ONLY', 'RETIRED')),
    retired_at timestamptz,
    created_at timestamptz not null default now(),
    constraint wrapped_data_keys_version_key unique (key_id, key_version)
);
create unique index wrapped_data_keys_one_active on alfred.wrapped_data_keys (key_id) where state = 'ACTIVE';

create table alfred.oauth_states (
    id uuid primary key,
    user_id uuid not null references alfred.users on delete cascade,
    state_hash bytea not null check (length(state_hash) = 32),
    redirect_uri text not null,
    code_verifier_ciphertext bytea not null,
    sealed_key_version int not null,
    expires_at timestamptz not null,
    claimed_at timestamptz,
    consumed_at timestamptz,
    created_at timestamptz not null default now(),
    constraint oauth_states_hash_key unique (state_hash)
);
create index oauth_states_open on alfred.oauth_states (user_id, created_at) where consumed_at is null;
create index oauth_states_expiry on alfred.oauth_states (expires_at);

create table alfred.user_preferences (
    user_id uuid primary key references alfred.users on delete cascade,
    meeting_reminder_minutes int not null default 15 check (meeting_reminder_minutes between 1 and 120),
    morning_brief_local_time text not null default '08:00'
        check (morning_brief_local_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    quiet_hours_start text not null default '22:00' check (quiet_hours_start ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    quiet_hours_end text not null default '07:00' check (quiet_hours_end ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
    time_zone text not null default 'UTC' check (length(time_zone) between 1 and 64),
    high_risk_requires_confirm boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table alfred.schedules (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references alfred.users on delete cascade,
    kind text not null check (kind in ('CALENDAR_SCAN', 'MORNING_BRIEF', 'URGENT_EMAIL_CHECK')),
    enabled boolean not null,
    next_run_at timestamptz not null,
    last_slot_at timestamptz,
    last_run_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint schedules_kind_key unique (user_id, kind)
);
create index schedules_due on alfred.schedules (next_run_at) where enabled;

create table alfred.jobs (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references alfred.users on delete cascade,
    type text not null check (type in (
        'MEETING_REMINDER', 'MORNING_BRIEF', 'URGENT_EMAIL_CHECK', 'CALENDAR_SCAN', 'TEST_NOTIFICATION',
        'CONNECTOR_NOTICE')),
    due_at timestamptz not null,
    expires_at timestamptz,
    state text not null default 'PENDING' check (state in ('PENDING', 'RUNNING', 'DONE', 'FAILED')),
    outcome text,
    payload_ciphertext bytea,
    sealed_key_version int,
    last_run_at timestamptz,
    next_run_at timestamptz,
    lease_owner text,
    lease_token bigint not null default 0,
    lease_expires_at timestamptz,
    -- 0: prompt work, 1: everything else. A due reminder never waits behind the same user's long work.
    lane smallint not null generated always as (
        case when type in ('MEETING_REMINDER', 'TEST_NOTIFICATION', 'CONNECTOR_NOTICE') then 0 else 1 end) stored,
    user_slot smallint,
    attempts int not null default 0,
    deferrals int not null default 0,
    max_attempts int not null default 5,
    idempotency_key text not null check (length(idempotency_key) between 1 and 256),
    last_error_code text,
    last_error_message text check (length(last_error_message) <= 200),
    request_id text,
    traceparent text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint jobs_idempotency_key unique (user_id, type, idempotency_key),
    constraint jobs_running_has_lease check (
        state <> 'RUNNING' or (user_slot is not null and lease_expires_at is not null and lease_owner is not null))
) with (fillfactor = 80);
create unique index jobs_running_slot on alfred.jobs (user_id, lane, user_slot) where state = 'RUNNING';
create index jobs_due on alfred.jobs (lane, due_at, id) where state = 'PENDING';
create index jobs_due_of_user on alfred.jobs (lane, user_id, due_at, id) where state = 'PENDING';
create index jobs_lease on alfred.jobs (lease_expires_at) where state = 'RUNNING';
create index jobs_finished on alfred.jobs (finished_at) where state in ('DONE', 'FAILED');

create table alfred.dead_letter_jobs (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references alfred.users on delete cascade,
    job_id uuid not null unique,
    type text not null,
    idempotency_key text not null,
    attempts int not null,
    reason_code text not null,
    reason_message text not null check (length(reason_message) <= 200),
    payload_ciphertext bytea,
    sealed_key_version int,
    failed_at timestamptz not null default now(),
    redriven_at timestamptz,
    created_at timestamptz not null default now()
);
create index dead_letter_jobs_failed on alfred.dead_letter_jobs (failed_at);

create table alfred.push_outbox (
    id uuid primary key,
    user_id uuid not null references alfred.users on delete cascade,
    device_id uuid not null references alfred.devices on delete cascade,
    job_id uuid,
    action_key text not null check (length(action_key) between 1 and 256),
    kind text not null,
    payload_ciphertext bytea not null,
    sealed_key_version int not null,
    ignore_quiet_hours boolean not null default false,
    state text not null default 'PENDING' check (state in (
        'PENDING', 'SENDING', 'DELIVERED', 'SIMULATED', 'SUPPRESSED', 'FAILED', 'EXPIRED')),
    next_attempt_at timestamptz not null default now(),
    expires_at timestamptz not null,
    attempts int not null default 0,
    lease_owner text,
    lease_token bigint not null default 0,
    lease_expires_at timestamptz,
    last_error_code text,
    request_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint push_outbox_action_key unique (user_id, action_key, device_id)
) with (fillfactor = 80);
create index push_outbox_due on alfred.push_outbox (next_attempt_at) where state = 'PENDING';
create index push_outbox_expiry on alfred.push_outbox (expires_at) where state = 'PENDING';
create index push_outbox_lease on alfred.push_outbox (lease_expires_at) where state = 'SENDING';
create index push_outbox_device on alfred.push_outbox (device_id);
create index push_outbox_finished on alfred.push_outbox (finished_at) where finished_at is not null;

create table alfred.audit_events (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references alfred.users on delete cascade,
    event_type text not null,
    connector text,
    result text not null check (result in ('SUCCESS', 'FAILURE')),
    redacted_metadata jsonb not null default '{}',
    created_at timestamptz not null default clock_timestamp()
);
create index audit_events_page on alfred.audit_events (user_id, created_at desc, id desc);

-- Nothing is written for a deleted user: either this transaction commits before the purge takes the user's row, or it
-- fails here.
create function alfred.refuse_deleted_user() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    perform from alfred.users where id = new.user_id and status = 'ACTIVE' for key share;
    if not found then
        raise exception 'ALFRED_USER_DELETED' using errcode = 'AD001';
    end if;
    return new;
end
$$;
revoke all on function alfred.refuse_deleted_user() from public;

do $$
declare
    guarded text;
begin
    foreach guarded in array array[
        'devices', 'connectors', 'oauth_states', 'user_preferences', 'schedules', 'jobs', 'dead_letter_jobs',
        'push_outbox', 'audit_events'
    ] loop
        execute format(
            'create trigger refuse_deleted_user before insert or update on alfred.%I '
            'for each row execute function alfred.refuse_deleted_user()', guarded);
    end loop;
end
$$;

-- Wake-ups, sent with the commit that made the work.
create function alfred.announce_new_rows() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from fresh) then
        perform pg_notify(tg_argv[0], '');
    end if;
    return null;
end
$$;
create trigger announce after insert on alfred.jobs
    referencing new table as fresh for each statement execute function alfred.announce_new_rows('alfred_jobs');
create trigger announce after insert on alfred.push_outbox
    referencing new table as fresh for each statement execute function alfred.announce_new_rows('alfred_outbox');
create trigger announce after update on alfred.users
    referencing new table as fresh for each statement execute function alfred.announce_new_rows('alfred_users');

-- Who may do what. Only what is used is granted.
grant usage on schema alfred to alfred_api, alfred_worker, alfred_operator;
grant select on alfred.schema_migrations to alfred_api, alfred_worker;
grant select on all tables in schema alfred to alfred_operator;

grant select, insert on alfred.users, alfred.jobs, alfred.wrapped_data_keys, alfred.audit_events to alfred_api;
grant select, insert, update, delete on alfred.devices, alfred.oauth_states to alfred_api;
grant select, insert, update on alfred.connectors, alfred.schedules, alfred.user_preferences to alfred_api;

grant select, insert on alfred.users, alfred.wrapped_data_keys, alfred.user_preferences to alfred_worker;
grant select, insert, delete on alfred.audit_events to alfred_worker;
grant select, update on alfred.devices, alfred.connectors to alfred_worker;
grant select, insert, update on alfred.schedules to alfred_worker;
grant select, insert, update, delete on alfred.jobs, alfred.push_outbox, alfred.dead_letter_jobs to alfred_worker;
grant update (status, frozen_at, deleted_at) on alfred.users to alfred_worker;
grant select, delete on alfred.oauth_states to alfred_worker;
grant update (state, retired_at) on alfred.wrapped_data_keys to alfred_api, alfred_worker;

grant insert on alfred.audit_events to alfred_operator;
grant update (apns_token_ciphertext, sealed_key_version) on alfred.devices to alfred_operator;
grant update (refresh_token_ciphertext, record_version, token_key_id, token_version, token_rotated_at, updated_at)
    on alfred.connectors to alfred_operator;
grant update (code_verifier_ciphertext, sealed_key_version) on alfred.oauth_states to alfred_operator;
grant update (payload_ciphertext, sealed_key_version) on alfred.push_outbox to alfred_operator;
grant update, delete on alfred.jobs, alfred.dead_letter_jobs to alfred_operator;
grant insert, update (state, retired_at) on alfred.wrapped_data_keys to alfred_operator;
