-- Dead letters, what holds behind them, and what operators ask for. Escapes and hashes as in 0001.

create table dead_letters (
    -- The dead record. Names are bounded: they stand in indexes.
    worker text collate "C" not null,
    topic text collate "C" not null,
    partition integer not null,
    record_offset bigint not null,
    -- The newest letter that tells of it.
    letter_partition integer not null,
    letter_offset bigint not null,
    source text,
    event text,
    event_type text,
    correlation text,
    correlation_hash bytea,
    timestamp_ms bigint,
    key bytea,
    key_hash bytea,
    value bytea,
    -- As in parked: each name and value with its length before it.
    headers bytea not null,
    bytes bigint not null,
    is_reference boolean not null,
    cause text not null,
    fingerprint text not null,
    fingerprint_hash bytea not null,
    message text not null,
    dependency text,
    status integer,
    attempts bigint not null,
    first_failure_ms bigint not null,
    last_failure_ms bigint not null,
    epoch bigint not null,
    build text not null,
    state text not null default 'dead' check (state in ('dead', 'replaying', 'done')),
    deaths bigint not null default 1,
    created_on date not null default current_date,
    primary key (worker, topic, partition, record_offset)
);

create index dead_letters_newest on dead_letters (last_failure_ms, worker, topic, partition, record_offset);
create index dead_letters_by_worker on dead_letters (worker, last_failure_ms);
create index dead_letters_by_fingerprint on dead_letters (fingerprint_hash, last_failure_ms);
create index dead_letters_by_correlation on dead_letters (correlation_hash) where correlation_hash is not null;
create index dead_letters_by_key on dead_letters (key_hash) where key_hash is not null;

create table held_keys (
    worker text collate "C" not null,
    topic text collate "C" not null,
    partition integer not null,
    -- The whole hash of the lane, which may be longer than an index takes.
    lane_identity bytea not null,
    lane bytea not null,
    -- The dead record: rows of the lane behind it wait.
    record_offset bigint not null,
    held_at timestamptz not null default clock_timestamp(),
    primary key (worker, topic, partition, lane_identity)
);

create index held_keys_by_record on held_keys (worker, topic, partition, record_offset);

create table plan_steps (
    step bigint generated always as identity primary key,
    kind text not null check (kind in ('replay', 'release')),
    worker text collate "C" not null,
    topic text collate "C" not null,
    partition integer not null,
    record_offset bigint not null,
    actor text not null,
    asked_at timestamptz not null default clock_timestamp(),
    -- Null while it is open.
    carried_out_at timestamptz
);

-- Of one letter one step is open at most; an owner finds its own in offset order, and its oldest.
create unique index plan_steps_open on plan_steps (worker, topic, partition, record_offset)
where carried_out_at is null;
create index plan_steps_oldest on plan_steps (worker, topic, partition, step) where carried_out_at is null;

-- It was dead, and is here by a replay.
alter table parked add column replayed boolean not null default false;
