-- No more than eight of a user's pending jobs per lane stand in the queue, in whatever order they come.

set local role alfred_owner;

-- When a job was to run at first: `due_at` moves with every repeat.
alter table alfred.jobs add column first_due_at timestamptz;

create index jobs_ready_of_user on alfred.jobs (user_id, lane, due_at) where state = 'PENDING' and ready;

-- The earliest eight are to be ready. One that comes among them while eight are there takes the place of the latest:
-- so jobs of the far future keep nobody out, and jobs that come latest first do not all become ready. Security definer:
-- who may insert a job need not be allowed to change one. It does not wait for rows that others hold.
create or replace function alfred.place_job() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    -- The generated column `lane` has no value yet.
    into_lane constant smallint := case
        when new.type in ('MEETING_REMINDER', 'TEST_NOTIFICATION', 'CONNECTOR_NOTICE') then 0 else 1 end;
begin
    new.first_due_at := new.due_at;
    new.ready := (
        select count(*) < 8 from (
            select from alfred.jobs j
            where j.user_id = new.user_id and j.state = 'PENDING' and j.due_at <= new.due_at and j.lane = into_lane
            limit 8) before);
    if new.ready and (
        select count(*) >= 8 from (
            select from alfred.jobs j
            where j.user_id = new.user_id and j.state = 'PENDING' and j.ready and j.lane = into_lane
            limit 8) there)
    then
        -- Never the row that this insert may turn out to be an update of.
        update alfred.jobs set ready = false where id = (
            select j.id from alfred.jobs j
            where j.user_id = new.user_id and j.state = 'PENDING' and j.ready and j.lane = into_lane
                and j.due_at > new.due_at
                and not (j.type = new.type and j.idempotency_key = new.idempotency_key)
            order by j.due_at desc limit 1 for update skip locked);
    end if;
    return new;
end
$$;

-- A device that its user registers under another name keeps what waits for it.
grant select (id, user_id, device_id, action_key, state), update (device_id, updated_at)
    on alfred.push_outbox to alfred_api;
