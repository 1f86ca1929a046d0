-- What the whole REST API stores: answers to be repeated, requests to delete everything, assistant sessions.

create table alfred.idempotent_answers (
    -- A new one with each attempt: an attempt that lost its lock cannot store its answer any more.
    id uuid primary key,
    user_id uuid not null references alfred.users on delete cascade,
    route text not null check (length(route) between 1 and 128),
    key_hash bytea not null check (length(key_hash) = 32),
    -- Keyed with the client's key, which is not stored: the hash of a short body could be guessed otherwise.
    request_hash bytea not null check (length(request_hash) = 32),
    locked_until timestamptz not null,
    status smallint check (status between 200 and 499),
    body_ciphertext bytea,
    sealed_key_version int,
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    constraint idempotent_answers_key unique (user_id, route, key_hash),
    constraint idempotent_answers_whole check ((status is null) = (body_ciphertext is null)
        and (status is null) = (sealed_key_version is null))
);
create index idempotent_answers_expiry on alfred.idempotent_answers (expires_at);

create table alfred.privacy_delete_requests (
    id uuid primary key,
    user_id uuid not null references alfred.users on delete cascade,
    status text not null default 'QUEUED' check (status in ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED')),
    started_at timestamptz,
    completed_at timestamptz,
    failed_at timestamptz,
    next_attempt_at timestamptz not null default now(),
    attempts int not null default 0,
    revoke_attempts int not null default 0,
    unrevoked_connectors int not null default 0 check (unrevoked_connectors >= 0),
    unrevoked_reason text check (length(unrevoked_reason) <= 64),
    lease_owner text,
    lease_token bigint not null default 0,
    lease_expires_at timestamptz,
    failure_reason text check (length(failure_reason) <= 64),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint privacy_delete_running_has_lease check (
        status <> 'RUNNING' or (lease_owner is not null and lease_expires_at is not null))
);
create unique index privacy_delete_one_open on alfred.privacy_delete_requests (user_id) where status <> 'COMPLETED';
create index privacy_delete_due on alfred.privacy_delete_requests (next_attempt_at)
    where status in ('QUEUED', 'FAILED');
create index privacy_delete_lease on alfred.privacy_delete_requests (lease_expires_at) where status = 'RUNNING';

create table alfred.assistant_sessions (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references alfred.users on delete cascade,
    session_id uuid not null,
    last_capability text not null,
    turn_count int not null check (turn_count >= 0),
    memory_ciphertext bytea not null,
    sealed_key_version int not null,
    record_version bigint not null check (record_version >= 1),
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint assistant_sessions_key unique (user_id, session_id)
);
create index assistant_sessions_expiry on alfred.assistant_sessions (expires_at);

-- A request to delete is not refused for a deleted user: it outlives the user and is finished after the purge.
do $$
declare
    guarded text;
begin
    foreach guarded in array array['idempotent_answers', 'assistant_sessions'] loop
        execute format(
            'create trigger refuse_deleted_user before insert or update on alfred.%I '
            'for each row execute function alfred.refuse_deleted_user()', guarded);
    end loop;
end
$$;

create trigger announce after insert on alfred.privacy_delete_requests
    referencing new table as fresh for each statement execute function alfred.announce_new_rows('alfred_privacy');

grant select, insert, update, delete on alfred.idempotent_answers, alfred.assistant_sessions to alfred_api;
grant select, insert on alfred.privacy_delete_requests to alfred_api;
grant select, delete on alfred.idempotent_answers, alfred.assistant_sessions to alfred_worker;
grant select, update on alfred.privacy_delete_requests to alfred_worker;
grant select on alfred.idempotent_answers, alfred.privacy_delete_requests, alfred.assistant_sessions
    to alfred_operator;
grant update (body_ciphertext, sealed_key_version) on alfred.idempotent_answers to alfred_operator;
grant update (memory_ciphertext, sealed_key_version) on alfred.assistant_sessions to alfred_operator;
grant update (next_attempt_at, updated_at) on alfred.privacy_delete_requests to alfred_operator;
