-- Timelines as processes wrote them, and where each event stands with each worker. Escapes and hashes as in 0001.

create table timeline_rows (
    instance uuid not null,
    number bigint not null,
    correlation_hash bytea not null,
    event_hash bytea not null,
    correlation text not null,
    source text not null,
    event text not null,
    event_type text not null,
    worker text not null,
    at_ms bigint not null,
    -- json, not jsonb: jsonb refuses an escaped NUL.
    steps json not null,
    state text not null,
    created_on date not null default current_date,
    primary key (instance, number)
);

create index timeline_rows_by_correlation on timeline_rows (correlation_hash, at_ms);

create table event_status (
    event_hash bytea not null,
    worker_hash bytea not null,
    source text not null,
    event text not null,
    worker text collate "C" not null,
    state text not null,
    at_ms bigint not null,
    correlation text not null,
    created_on date not null default current_date,
    primary key (event_hash, worker_hash)
) with (fillfactor = 60);
