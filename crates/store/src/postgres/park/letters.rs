//! What a park does beside moving rows: holds, replays, and the steps and letters that they belong to.
//!
//! These statements follow that of the rows, in its transaction and behind its lock of the owners' rows: one statement
//! could not settle a row and take it back, and sees of both what was before.

use std::collections::{BTreeMap, HashSet};

use sqlx::{Error, PgConnection};

use super::super::{identity::bytes_identity, lane, text::escape};
use crate::{OwnerKey, ParkChange};

const RELEASE: &str = r#"
delete from held_keys
using unnest($1::text[], $2::text[], $3::integer[], $4::bytea[]) as asked (worker, topic, partition, lane_identity)
where held_keys.worker = asked.worker and held_keys.topic = asked.topic and held_keys.partition = asked.partition
    and held_keys.lane_identity = asked.lane_identity
"#;

const HOLD: &str = r#"
insert into held_keys (worker, topic, partition, lane_identity, lane, record_offset)
select * from unnest($1::text[], $2::text[], $3::integer[], $4::bytea[], $5::bytea[], $6::bigint[])
on conflict (worker, topic, partition, lane_identity) do update
set record_offset = excluded.record_offset
"#;

const REVIVE: &str = r#"
update dead_letters set state = 'done'
from unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) as asked (worker, topic, partition, record_offset)
where dead_letters.worker = asked.worker and dead_letters.topic = asked.topic
    and dead_letters.partition = asked.partition and dead_letters.record_offset = asked.record_offset
"#;

/// A row that waits there keeps what it has. Each step makes one row at most, since a letter has one open step.
const REPLAY: &str = r#"
with taken as (
    update plan_steps set carried_out_at = clock_timestamp()
    from unnest(
        $1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[]
    ) as asked (worker, topic, partition, step, record_offset, lane, lane_hash)
    where plan_steps.step = asked.step and plan_steps.kind = 'replay' and plan_steps.carried_out_at is null
        and plan_steps.worker = asked.worker and plan_steps.topic = asked.topic
        and plan_steps.partition = asked.partition and plan_steps.record_offset = asked.record_offset
    returning asked.*
),
letters as (
    update dead_letters set state = 'replaying'
    from taken
    where dead_letters.worker = taken.worker and dead_letters.topic = taken.topic
        and dead_letters.partition = taken.partition and dead_letters.record_offset = taken.record_offset
        and not dead_letters.is_reference
    returning
        taken.worker, taken.topic, taken.partition, taken.record_offset, taken.lane, taken.lane_hash,
        dead_letters.timestamp_ms, dead_letters.key, dead_letters.value, dead_letters.headers, dead_letters.bytes
)
insert into parked (
    worker, topic, partition, record_offset, lane, lane_hash, timestamp_ms, key, value, headers, bytes, replayed
)
select worker, topic, partition, record_offset, lane, lane_hash, timestamp_ms, key, value, headers, bytes, true
from letters
on conflict (worker, topic, partition, record_offset) do update
set replayed = true, settled_at = null,
    lane = case when parked.settled_at is null then parked.lane else excluded.lane end,
    lane_hash = case when parked.settled_at is null then parked.lane_hash else excluded.lane_hash end,
    timestamp_ms = case when parked.settled_at is null then parked.timestamp_ms else excluded.timestamp_ms end,
    key = case when parked.settled_at is null then parked.key else excluded.key end,
    value = case when parked.settled_at is null then parked.value else excluded.value end,
    headers = case when parked.settled_at is null then parked.headers else excluded.headers end,
    bytes = case when parked.settled_at is null then parked.bytes else excluded.bytes end,
    cause = case when parked.settled_at is null then parked.cause end,
    dependency = case when parked.settled_at is null then parked.dependency end,
    due_at = case when parked.settled_at is null then parked.due_at end,
    attempts = case when parked.settled_at is null then parked.attempts else 0 end,
    age_us = case when parked.settled_at is null then parked.age_us else 0 end
"#;

const END: &str = r#"
update plan_steps set carried_out_at = clock_timestamp()
from unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) as asked (worker, topic, partition, step)
where plan_steps.step = asked.step and plan_steps.carried_out_at is null and plan_steps.worker = asked.worker
    and plan_steps.topic = asked.topic and plan_steps.partition = asked.partition
"#;

/// An item of a change, with whose it is.
type Of<'a, T> = (&'a OwnerKey, T);

/// All of these changes, flat; of changes that were fenced, nothing.
pub(super) async fn change_letters(
    changes: &[ParkChange],
    owned: &HashSet<i64>,
    connection: &mut PgConnection,
) -> Result<(), Error> {
    let ours: Vec<&ParkChange> = (1..)
        .zip(changes)
        .filter(|(ordinal, change)| owned.contains(ordinal) && change.touches_letters())
        .map(|(_, change)| change)
        .collect();
    release(&ours, connection).await?;
    hold(&ours, connection).await?;
    revive(&ours, connection).await?;
    replay(&ours, connection).await?;
    end(&ours, connection).await
}

async fn release(changes: &[&ParkChange], connection: &mut PgConnection) -> Result<(), Error> {
    let lanes = flat(changes, |change| &change.released);
    if lanes.is_empty() {
        return Ok(());
    }
    let (workers, topics, partitions) = owners(&lanes);
    let identities = lanes.iter().map(|(_, key)| lane_identity(key));
    sqlx::query(RELEASE)
        .bind(workers)
        .bind(topics)
        .bind(partitions)
        .bind(identities.collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn hold(changes: &[&ParkChange], connection: &mut PgConnection) -> Result<(), Error> {
    // One statement cannot change a row twice.
    let newest: BTreeMap<_, _> = flat(changes, |change| &change.holds)
        .into_iter()
        .map(|(owner, held)| ((owner, &held.lane), held.offset))
        .collect();
    if newest.is_empty() {
        return Ok(());
    }
    let holds: Vec<_> = newest
        .into_iter()
        .map(|((owner, lane), offset)| (owner, (lane, offset)))
        .collect();
    let (workers, topics, partitions) = owners(&holds);
    let identities = holds.iter().map(|(_, (key, _))| lane_identity(key));
    let lanes = holds.iter().map(|(_, (key, _))| lane::encoded(key));
    sqlx::query(HOLD)
        .bind(workers)
        .bind(topics)
        .bind(partitions)
        .bind(identities.collect::<Vec<_>>())
        .bind(lanes.collect::<Vec<_>>())
        .bind(holds.iter().map(|(_, held)| held.1).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn revive(changes: &[&ParkChange], connection: &mut PgConnection) -> Result<(), Error> {
    let offsets = flat(changes, |change| &change.revived);
    numbered(REVIVE, &offsets, connection).await
}

async fn replay(changes: &[&ParkChange], connection: &mut PgConnection) -> Result<(), Error> {
    let mut seen = HashSet::new();
    let mut replays = flat(changes, |change| &change.replays);
    replays.retain(|(owner, replay)| seen.insert((*owner, replay.step, replay.offset)));
    if replays.is_empty() {
        return Ok(());
    }
    let (workers, topics, partitions) = owners(&replays);
    let steps = replays.iter().map(|(_, replay)| replay.step);
    let offsets = replays.iter().map(|(_, replay)| replay.offset);
    let lanes = replays
        .iter()
        .map(|(_, replay)| lane::encoded(&replay.lane));
    let hashes = replays.iter().map(|(_, replay)| lane::hash(&replay.lane));
    sqlx::query(REPLAY)
        .bind(workers)
        .bind(topics)
        .bind(partitions)
        .bind(steps.collect::<Vec<_>>())
        .bind(offsets.collect::<Vec<_>>())
        .bind(lanes.collect::<Vec<_>>())
        .bind(hashes.collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

async fn end(changes: &[&ParkChange], connection: &mut PgConnection) -> Result<(), Error> {
    let steps = flat(changes, |change| &change.ended);
    numbered(END, &steps, connection).await
}

/// Runs a statement over owners and one number each.
async fn numbered(
    statement: &'static str,
    numbers: &[Of<'_, &i64>],
    connection: &mut PgConnection,
) -> Result<(), Error> {
    if numbers.is_empty() {
        return Ok(());
    }
    let (workers, topics, partitions) = owners(numbers);
    sqlx::query(statement)
        .bind(workers)
        .bind(topics)
        .bind(partitions)
        .bind(
            numbers
                .iter()
                .map(|(_, number)| **number)
                .collect::<Vec<_>>(),
        )
        .execute(connection)
        .await?;
    Ok(())
}

fn flat<'a, T>(
    changes: &[&'a ParkChange],
    of: impl Fn(&'a ParkChange) -> &'a Vec<T>,
) -> Vec<Of<'a, &'a T>> {
    let items = changes.iter().flat_map(|change| {
        let items = of(change).iter();
        items.map(|item| (&change.owner, item))
    });
    items.collect()
}

fn owners<'a, T>(
    items: &[Of<'a, T>],
) -> (
    Vec<std::borrow::Cow<'a, str>>,
    Vec<std::borrow::Cow<'a, str>>,
    Vec<i32>,
) {
    let workers = items.iter().map(|(owner, _)| escape(&owner.worker));
    let topics = items.iter().map(|(owner, _)| escape(&owner.topic));
    let partitions = items.iter().map(|(owner, _)| owner.partition);
    (workers.collect(), topics.collect(), partitions.collect())
}

fn lane_identity(key: &argosy_kernel::LaneKey) -> [u8; 32] {
    bytes_identity(&lane::encoded(key))
}
