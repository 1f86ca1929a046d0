-- Where a re-sealing of a table stands, so that it can be taken up again.

set local role alfred_owner;

create table alfred.key_rewrap_runs (
    id uuid primary key default gen_random_uuid(),
    -- Lowest version that was found at the start.
    from_version int not null check (from_version >= 1),
    to_version int not null check (to_version >= 1),
    table_name text not null check (length(table_name) between 1 and 64),
    -- Rows up to here were looked at; null before the first batch.
    last_id uuid,
    total bigint not null check (total >= 0),
    done bigint not null default 0 check (done >= 0),
    failed bigint not null default 0 check (failed >= 0),
    state text not null default 'RUNNING' check (state in ('RUNNING', 'DONE')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint key_rewrap_runs_table_key unique (to_version, table_name)
);
grant select, insert, update on alfred.key_rewrap_runs to alfred_operator;
