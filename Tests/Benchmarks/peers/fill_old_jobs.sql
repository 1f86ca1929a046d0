-- Finished rows and rows that are due much later, beside which the due ones must be found. After fill_jobs.sql.
-- Variables: finished, future, users.
set session_replication_role = replica;
insert into alfred.jobs (user_id, type, due_at, idempotency_key, state, outcome, finished_at)
select md5('user' || (1 + n % :users))::uuid, 'TEST_NOTIFICATION', now() - n * interval '1 second', 'old:' || n, 'DONE',
    'notified', now() - n * interval '1 second'
from generate_series(1, :finished) n;
insert into alfred.jobs (user_id, type, due_at, idempotency_key, ready)
select md5('user' || (1 + n % :users))::uuid, 'TEST_NOTIFICATION', now() + interval '1 day' + n * interval '1 second',
    'future:' || n, n <= :users * 8
from generate_series(1, :future) n;
set session_replication_role = origin;
vacuum analyze;
