-- For pgbench: the least that claiming and finishing a batch can be, on the same table; no limit per user, no fair share.
update alfred.jobs j set state = 'RUNNING', lease_owner = 'pgbench' || :client_id::text, lease_token = j.lease_token + 1,
    lease_expires_at = now() + interval '60 seconds', user_slot = 0
from (select id from alfred.jobs where lane = 0 and state = 'PENDING' and ready and due_at <= now()
    order by due_at, id limit :batch::int8 for update skip locked) due
where j.id = due.id;
update alfred.jobs set state = 'DONE', finished_at = now(), lease_owner = null, lease_expires_at = null, user_slot = null
where state = 'RUNNING' and lease_owner = 'pgbench' || :client_id::text;
