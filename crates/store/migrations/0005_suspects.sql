-- Records that were running when a process died. Escapes as in 0001.

create table suspects (
    worker text collate "C" not null,
    topic text collate "C" not null,
    partition integer not null,
    record_offset bigint not null,
    suspected_at timestamptz not null default clock_timestamp(),
    -- The instances that died while it ran alone: told twice, a death counts once.
    dead uuid[] not null,
    primary key (worker, topic, partition, record_offset)
);
