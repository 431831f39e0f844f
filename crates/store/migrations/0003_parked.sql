-- Records that wait in the store, and tombstones of those that settled. Escapes and hashes as in 0001.

create table parked (
    worker text collate "C" not null,
    topic text collate "C" not null,
    partition integer not null,
    record_offset bigint not null,
    -- A letter for its kind, then the key: k and the key, o and the offset, w.
    lane bytea not null,
    lane_hash bytea not null,
    timestamp_ms bigint,
    key bytea,
    value bytea,
    -- Each name and value with its length before it.
    headers bytea not null,
    bytes bigint not null,
    parked_at timestamptz not null default clock_timestamp(),
    -- What it waits for, if it was ever the head.
    cause text,
    dependency text,
    due_at timestamptz,
    attempts bigint not null default 0,
    age_us bigint not null default 0,
    -- Set, it is a tombstone: key, value and headers are gone.
    settled_at timestamptz,
    primary key (worker, topic, partition, record_offset)
);

create index parked_lanes on parked (worker, topic, partition, lane_hash, record_offset) where settled_at is null;
