-- What erasing a user needs.

set local role alfred_owner;

-- Grants that could not be revoked when their user was erased: the sealed record alone, tried once a day until it is
-- revoked or too old. Nobody but the enclave can open it.
create table alfred.pending_revocations (
    id uuid primary key default gen_random_uuid(),
    -- No reference: it outlives everything else of the user.
    user_id uuid not null,
    connector_id uuid not null,
    provider text not null check (provider = 'google'),
    refresh_token_ciphertext bytea not null,
    record_version bigint not null check (record_version >= 1),
    token_key_id text not null,
    token_version int not null,
    attempts int not null default 0,
    next_attempt_at timestamptz not null default now() + interval '1 day',
    delete_after timestamptz not null default now() + interval '30 days',
    created_at timestamptz not null default now(),
    constraint pending_revocations_connector_key unique (connector_id)
);
create index pending_revocations_due on alfred.pending_revocations (next_attempt_at);
create index pending_revocations_user on alfred.pending_revocations (user_id);

alter table alfred.privacy_delete_requests
    add column revoked_connectors int not null default 0 check (revoked_connectors >= 0);
create index privacy_delete_of_user on alfred.privacy_delete_requests (user_id);

-- An idle grant dies at the provider; this says when it was last kept alive for that reason.
alter table alfred.connectors add column kept_alive_at timestamptz;
create index connectors_idle on alfred.connectors (coalesce(kept_alive_at, connected_at)) where status = 'ACTIVE';

-- Found by their user when that one is erased.
create index dead_letter_jobs_user on alfred.dead_letter_jobs (user_id);
create index oauth_states_user on alfred.oauth_states (user_id);

-- The one event of a deleted user: that everything was erased.
drop trigger refuse_deleted_user on alfred.audit_events;
create trigger refuse_deleted_user before insert or update on alfred.audit_events
    for each row when (new.event_type <> 'PRIVACY_DELETE_ALL_COMPLETED')
    execute function alfred.refuse_deleted_user();

grant delete on alfred.devices, alfred.connectors, alfred.schedules, alfred.user_preferences to alfred_worker;
grant select, insert, update, delete on alfred.pending_revocations to alfred_worker;
grant select on alfred.pending_revocations to alfred_operator;
grant update (refresh_token_ciphertext, record_version, token_key_id, token_version)
    on alfred.pending_revocations to alfred_operator;
