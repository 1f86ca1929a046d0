-- Jobs that are due now lie together, however many have been done and however many are due later.

-- Compiling a plan takes longer than any statement runs. Behind a transaction pooler the program cannot say so for its
-- session; who may not change the database says it there: alter database ... set jit = off.
-- The owner of the tables need not own the database: who migrates may.
reset role;
do $$
begin
    execute format('alter database %I set jit = off', current_database());
exception
    when insufficient_privilege then raise notice 'set jit = off on the database';
end
$$;

set local role alfred_owner;

-- A UUID of version 7 (RFC 9562): 48 bits of milliseconds, the rest random. Neighbours in time are neighbours in an
-- index, so that the index of a table with millions of old rows is read and changed at its end only.
create function alfred.time_ordered_id() returns uuid
    language sql volatile set search_path = pg_catalog, pg_temp
as $$
    select (lpad(to_hex(floor(extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
        || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid
$$;
revoke execute on function alfred.time_ordered_id() from public;
grant execute on function alfred.time_ordered_id() to alfred_api, alfred_worker, alfred_operator;
alter table alfred.jobs alter column id set default alfred.time_ordered_id();
