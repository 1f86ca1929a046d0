-- The job engine in full: places in the queue, what mail was shown already, retention.

set local role alfred_owner;

-- A user's pending jobs stand in the queue of due jobs only with the first eight of each lane; the others wait behind
-- them ("parked") and move up as those are claimed. So what one user has waiting never stands between a claim and the
-- jobs of others, however much it is.
alter table alfred.jobs add column ready boolean not null default true;

create function alfred.place_job() returns trigger
    language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
    -- The generated column `lane` has no value yet.
    new.ready := (
        select count(*) < 8 from (
            select from alfred.jobs j
            where j.user_id = new.user_id and j.state = 'PENDING' and j.due_at <= new.due_at
                and j.lane = case
                    when new.type in ('MEETING_REMINDER', 'TEST_NOTIFICATION', 'CONNECTOR_NOTICE') then 0 else 1 end
            limit 8) before);
    return new;
end
$$;
create trigger place before insert on alfred.jobs for each row execute function alfred.place_job();

create index jobs_ready on alfred.jobs (lane, due_at, id) include (user_id) where state = 'PENDING' and ready;
create index jobs_parked on alfred.jobs (user_id, lane, due_at, id) where state = 'PENDING' and not ready;
create index jobs_pending_of_user on alfred.jobs (user_id, lane, due_at) where state = 'PENDING';
drop index alfred.jobs_due, alfred.jobs_due_of_user;
-- Running jobs are few and are found by jobs_running_slot; without an index on its end a lease is extended in place.
drop index alfred.jobs_lease;

-- A row that exists keeps its user, and a purge deletes it: only rows that come into being need the user's consent.
drop trigger refuse_deleted_user on alfred.jobs;
create trigger refuse_deleted_user before insert or update of user_id on alfred.jobs
    for each row execute function alfred.refuse_deleted_user();
drop trigger refuse_deleted_user on alfred.push_outbox;
create trigger refuse_deleted_user before insert or update of user_id on alfred.push_outbox
    for each row execute function alfred.refuse_deleted_user();

-- Queues change all the time: cleaned by the number of dead rows, at once and at full speed.
alter table alfred.jobs set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.1, autovacuum_analyze_threshold = 5000);
alter table alfred.push_outbox set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

-- Mail that was judged once is not judged again. Holds digests only.
create table alfred.email_seen (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references alfred.users on delete cascade,
    message_hash bytea not null check (length(message_hash) = 32),
    seen_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    constraint email_seen_message_key unique (user_id, message_hash)
);
create index email_seen_age on alfred.email_seen (seen_at);
create trigger refuse_deleted_user before insert or update on alfred.email_seen
    for each row execute function alfred.refuse_deleted_user();
grant select, insert, delete on alfred.email_seen to alfred_worker;
grant select on alfred.email_seen to alfred_operator;

create index audit_events_age on alfred.audit_events (created_at);

