-- Due jobs, spread evenly over the users in the order of their due times. Run by the schema's owner.
-- Variables: jobs, users.
set session_replication_role = replica;
truncate alfred.jobs, alfred.dead_letter_jobs;
delete from alfred.users;
insert into alfred.users (id) select md5('user' || n)::uuid from generate_series(1, :users) n;
set session_replication_role = origin;
insert into alfred.jobs (user_id, type, due_at, idempotency_key)
select md5('user' || (1 + n % :users))::uuid, 'TEST_NOTIFICATION', now() - (:jobs - n) * interval '1 millisecond',
    'bench:' || n
from generate_series(1, :jobs) n;
vacuum analyze;
