//! Changing parked rows: fence, add, look, settle and forget in one statement. A batch that says more, of holds and
//! replays, is a transaction of that statement and those of what it says.
//!
//! The owner's row is locked `for share`, as a claim does it: a new owner waits for the changes under way, and fences
//! all later ones.

mod letters;

use std::collections::{HashMap, HashSet};

use sqlx::{Connection, Error, PgConnection, Row};

use super::{
    connection::{Connections, Operation},
    lane,
    text::escape,
};
use crate::{OwnerKey, ParkAnswer, ParkChange, ParkedLook, ParkedRow, StoreError};

/// Rows of one statement; more go as statements of one transaction each, change by change.
const PARK: &str = r#"
with owned as materialized (
    select asked.ordinal, owners.worker, owners.topic, owners.partition
    from unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) with ordinality
        as asked (worker, topic, partition, epoch, ordinal)
    join owners using (worker, topic, partition)
    where owners.epoch = asked.epoch
    order by owners.worker, owners.topic, owners.partition
    for share of owners
),
added as (
    insert into parked (
        worker, topic, partition, record_offset, lane, lane_hash, timestamp_ms, key, value, headers, bytes,
        cause, dependency, due_at, attempts, age_us
    )
    select
        worker, topic, partition, record_offset, lane, lane_hash, timestamp_ms, key, value, headers, bytes,
        cause, dependency, clock_timestamp() + due_us * interval '1 microsecond', attempts, age_us
    from unnest(
        $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bigint[], $10::bytea[], $11::bytea[],
        $12::bytea[], $13::bigint[], $14::text[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[]
    ) as asked (
        ordinal, record_offset, lane, lane_hash, timestamp_ms, key, value, headers, bytes, cause, dependency, due_us,
        attempts, age_us
    )
    join owned using (ordinal)
    order by worker, topic, partition, record_offset
    on conflict (worker, topic, partition, record_offset) do update
    set cause = excluded.cause, dependency = excluded.dependency, due_at = excluded.due_at,
        attempts = excluded.attempts, age_us = excluded.age_us
    where excluded.cause is not null and parked.settled_at is null
),
looked as (
    update parked
    set cause = asked.cause, dependency = asked.dependency,
        due_at = clock_timestamp() + asked.due_us * interval '1 microsecond', attempts = asked.attempts,
        age_us = asked.age_us
    from unnest($19::bigint[], $20::bigint[], $21::text[], $22::text[], $23::bigint[], $24::bigint[], $25::bigint[])
        as asked (ordinal, record_offset, cause, dependency, due_us, attempts, age_us)
    join owned using (ordinal)
    where parked.worker = owned.worker and parked.topic = owned.topic and parked.partition = owned.partition
        and parked.record_offset = asked.record_offset and parked.settled_at is null
),
settled as (
    update parked
    set settled_at = clock_timestamp(), key = null, value = null, headers = '', cause = null, dependency = null
    from unnest($26::bigint[], $27::bigint[]) as asked (ordinal, record_offset)
    join owned using (ordinal)
    where parked.worker = owned.worker and parked.topic = owned.topic and parked.partition = owned.partition
        and parked.record_offset = asked.record_offset and parked.settled_at is null
),
forgotten as (
    delete from parked
    using unnest($28::bigint[], $29::bigint[]) as asked (ordinal, passed)
    join owned using (ordinal)
    where parked.worker = owned.worker and parked.topic = owned.topic and parked.partition = owned.partition
        and parked.settled_at is not null and parked.record_offset < asked.passed
)
select ordinal from owned
"#;

pub(super) async fn park(
    connections: &Connections,
    changes: Vec<ParkChange>,
) -> Result<Vec<ParkAnswer>, StoreError> {
    changes.iter().try_for_each(ParkChange::check)?;
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let owned = connections.run(&Park::new(&changes)).await?;
    let ordinals = 1..=changes.len();
    Ok(ordinals
        .map(|ordinal| match i64::try_from(ordinal) {
            Ok(ordinal) if owned.contains(&ordinal) => ParkAnswer::Done,
            _ => ParkAnswer::Fenced,
        })
        .collect())
}

/// The changes with their ordinals, from 1, flat.
struct Park<'a> {
    changes: &'a [ParkChange],
    owners: Vec<(&'a OwnerKey, i64)>,
    rows: Vec<(i64, &'a ParkedRow, Option<&'a ParkedLook>)>,
    /// Of rows that are not added here.
    looks: Vec<(i64, &'a ParkedLook)>,
    settled: Vec<(i64, i64)>,
    passed: Vec<(i64, i64)>,
}

impl<'a> Park<'a> {
    fn new(changes: &'a [ParkChange]) -> Self {
        let mut park = Park {
            changes,
            owners: Vec::new(),
            rows: Vec::new(),
            looks: Vec::new(),
            settled: Vec::new(),
            passed: Vec::new(),
        };
        for (ordinal, change) in (1..).zip(changes) {
            park.owners.push((&change.owner, change.epoch.0));
            // One statement cannot change a row twice: what is new of a row that is added goes along with it.
            let mut looks: HashMap<i64, &ParkedLook> = change
                .looks
                .iter()
                .map(|look| (look.offset, look))
                .collect();
            let mut seen = HashSet::new();
            for row in change.rows.iter().filter(|row| seen.insert(row.offset)) {
                park.rows.push((ordinal, row, looks.remove(&row.offset)));
            }
            let settled: HashSet<i64> = change.settled.iter().copied().collect();
            looks.retain(|offset, _| !settled.contains(offset));
            park.looks
                .extend(looks.into_values().map(|look| (ordinal, look)));
            park.settled
                .extend(settled.into_iter().map(|offset| (ordinal, offset)));
            park.passed
                .extend(change.passed.map(|passed| (ordinal, passed)));
        }
        park
    }

    fn owner<T>(&self, value: impl Fn(&'a OwnerKey) -> T) -> Vec<T> {
        self.owners.iter().map(|(owner, _)| value(owner)).collect()
    }

    fn row<T>(&self, value: impl Fn(&'a ParkedRow) -> T) -> Vec<T> {
        self.rows.iter().map(|(_, row, _)| value(row)).collect()
    }

    fn row_look<T>(&self, value: impl Fn(&'a ParkedLook) -> T) -> Vec<Option<T>> {
        self.rows
            .iter()
            .map(|(.., look)| look.map(&value))
            .collect()
    }

    fn look<T>(&self, value: impl Fn(&'a ParkedLook) -> T) -> Vec<T> {
        self.looks.iter().map(|(_, look)| value(look)).collect()
    }
}

impl Operation for Park<'_> {
    type Answer = HashSet<i64>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        if !self.changes.iter().any(ParkChange::touches_letters) {
            return self.change_rows(connection).await;
        }
        let mut transaction = connection.begin().await?;
        let owned = self.change_rows(&mut transaction).await?;
        letters::change_letters(self.changes, &owned, &mut transaction).await?;
        transaction.commit().await?;
        Ok(owned)
    }
}

impl Park<'_> {
    /// The ordinals of the changes that are not fenced.
    async fn change_rows(&self, connection: &mut PgConnection) -> Result<HashSet<i64>, Error> {
        let firsts = |pairs: &[(i64, i64)]| pairs.iter().map(|pair| pair.0).collect::<Vec<_>>();
        let seconds = |pairs: &[(i64, i64)]| pairs.iter().map(|pair| pair.1).collect::<Vec<_>>();
        let zeros = |values: Vec<Option<i64>>| -> Vec<i64> {
            values.into_iter().map(Option::unwrap_or_default).collect()
        };
        let rows = sqlx::query(PARK)
            .bind(self.owner(|owner| escape(&owner.worker)))
            .bind(self.owner(|owner| escape(&owner.topic)))
            .bind(self.owner(|owner| owner.partition))
            .bind(
                self.owners
                    .iter()
                    .map(|(_, epoch)| *epoch)
                    .collect::<Vec<_>>(),
            )
            .bind(
                self.rows
                    .iter()
                    .map(|(ordinal, ..)| *ordinal)
                    .collect::<Vec<_>>(),
            )
            .bind(self.row(|row| row.offset))
            .bind(self.row(|row| lane::encoded(&row.lane)))
            .bind(self.row(|row| lane::hash(&row.lane)))
            .bind(self.row(|row| row.timestamp_ms))
            .bind(self.row(|row| row.key.as_deref()))
            .bind(self.row(|row| row.value.as_deref()))
            .bind(self.row(|row| lane::packed(&row.headers)))
            .bind(self.row(|row| i64::try_from(row.bytes()).unwrap_or(i64::MAX)))
            .bind(self.row_look(|look| escape(&look.cause)))
            .bind(
                self.row_look(dependency)
                    .into_iter()
                    .map(Option::flatten)
                    .collect::<Vec<_>>(),
            )
            .bind(self.row_look(due_us))
            .bind(zeros(self.row_look(attempts)))
            .bind(zeros(self.row_look(age_us)))
            .bind(
                self.looks
                    .iter()
                    .map(|(ordinal, _)| *ordinal)
                    .collect::<Vec<_>>(),
            )
            .bind(self.look(|look| look.offset))
            .bind(self.look(|look| escape(&look.cause)))
            .bind(self.look(dependency))
            .bind(self.look(due_us))
            .bind(self.look(attempts))
            .bind(self.look(age_us))
            .bind(firsts(&self.settled))
            .bind(seconds(&self.settled))
            .bind(firsts(&self.passed))
            .bind(seconds(&self.passed))
            .fetch_all(connection)
            .await?;
        rows.iter().map(|row| row.try_get("ordinal")).collect()
    }
}

fn dependency(look: &ParkedLook) -> Option<std::borrow::Cow<'_, str>> {
    look.dependency.as_deref().map(escape)
}

fn due_us(look: &ParkedLook) -> i64 {
    micros(look.due)
}

fn age_us(look: &ParkedLook) -> i64 {
    micros(look.age)
}

fn attempts(look: &ParkedLook) -> i64 {
    i64::from(look.attempts)
}

fn micros(span: std::time::Duration) -> i64 {
    // A century: what is longer is not told apart, and fits a timestamp.
    const SPAN_MAX: i64 = 3_155_760_000_000_000;
    i64::try_from(span.as_micros())
        .unwrap_or(SPAN_MAX)
        .min(SPAN_MAX)
}
