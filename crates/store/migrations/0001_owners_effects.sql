-- Owners of partitions, effects with their claims and outcomes, and the audit.
--
-- Texts that come from outside are kept escaped (a NUL as \0, a backslash as \\), because text cannot hold NUL.
-- They may be long, so keys are hashes: event_hash of (source, event), identity of (worker, source, event, name, key).

create table owners (
    worker text collate "C" not null,
    topic text collate "C" not null,
    partition integer not null,
    epoch bigint not null check (epoch > 0),
    instance uuid not null,
    taken_at timestamptz not null,
    primary key (worker, topic, partition)
);

create table effects (
    event_hash bytea not null,
    identity bytea not null,
    worker text collate "C" not null,
    source text collate "C" not null,
    event text collate "C" not null,
    name text collate "C" not null,
    key text collate "C" not null,
    -- Counts every grant.
    number bigint not null check (number > 0),
    run uuid not null,
    body_hash bytea not null,
    operation text not null,
    request bytea not null,
    state text not null check (state in ('open', 'released', 'succeeded')),
    -- Null until succeeded.
    answer bytea check ((answer is not null) = (state = 'succeeded')),
    first_claimed_at timestamptz not null,
    claimed_at timestamptz not null,
    deadline timestamptz not null,
    settled_at timestamptz,
    -- What retention goes by.
    created_on date not null default current_date,
    -- One index serves claims, outcomes and recalls; the effects of one event lie together.
    primary key (event_hash, identity)
) with (fillfactor = 60); -- room for the outcome beside its claim: the update touches no index

create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    actor text not null,
    action text not null,
    subject json not null
);
