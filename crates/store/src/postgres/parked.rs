//! Reading parked rows: all lanes of a partition for its new owner, and a lane's oldest records.

use std::time::Duration;

use bytes::Bytes;
use sqlx::{Error, PgConnection, Row, postgres::PgRow};

use super::{
    connection::{Connections, Operation},
    lane, suspects,
    text::{escape, shared},
};
use crate::{
    FoundLane, FoundParked, LoadedRow, OwnerKey, ParkLoad, ParkedLook, ParkedRow, StoreError,
    limits::LOAD_ROWS_MAX,
};

/// Lanes by their head, then held ones without rows. Two lanes of one hash are told apart by the lane itself.
const LANES: &str = r#"
with open as (
    select lane, lane_hash, record_offset, bytes from parked
    where worker = $1 and topic = $2 and partition = $3 and settled_at is null
),
lanes as (
    select lane_hash, lane, min(record_offset) as head, count(*) as rows, sum(bytes)::bigint as bytes
    from open group by lane_hash, lane
)
select lane, lanes.head, coalesce(lanes.rows, 0) as rows, coalesce(lanes.bytes, 0) as bytes, held.record_offset as held,
    cause, dependency, attempts, age_us,
    (extract(epoch from greatest(due_at - clock_timestamp(), interval '0')) * 1000000)::bigint as due_us
from lanes
full join (
    select lane, record_offset from held_keys where worker = $1 and topic = $2 and partition = $3
) as held using (lane)
left join (
    select record_offset, cause, dependency, attempts, age_us, due_at from parked
    where worker = $1 and topic = $2 and partition = $3
) as heads on heads.record_offset = lanes.head
order by lanes.head nulls last, held.record_offset, lane
"#;

const OFFSETS: &str = r#"
select record_offset from parked where worker = $1 and topic = $2 and partition = $3 order by record_offset
"#;

const LOAD: &str = r#"
select asked.ordinal, record_offset, timestamp_ms, parked.key, value, headers, attempts, age_us, replayed
from unnest(
    $1::text[], $2::text[], $3::integer[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bigint[]
) with ordinality as asked (worker, topic, partition, lane_hash, lane, rows_max, through, ordinal)
cross join lateral (
    select * from parked
    where parked.worker = asked.worker and parked.topic = asked.topic and parked.partition = asked.partition
        and parked.lane_hash = asked.lane_hash and parked.lane = asked.lane and settled_at is null
        and record_offset <= asked.through
    order by record_offset
    limit asked.rows_max
) as parked
order by asked.ordinal, record_offset
"#;

pub(super) async fn found(
    connections: &Connections,
    owner: OwnerKey,
) -> Result<FoundParked, StoreError> {
    connections.run(&Found(owner)).await
}

struct Found(OwnerKey);

impl Operation for Found {
    type Answer = FoundParked;

    async fn run(&self, connection: &mut PgConnection) -> Result<FoundParked, Error> {
        let Self(owner) = self;
        let lanes = sqlx::query(LANES)
            .bind(escape(&owner.worker))
            .bind(escape(&owner.topic))
            .bind(owner.partition)
            .fetch_all(&mut *connection)
            .await?;
        let offsets = sqlx::query(OFFSETS)
            .bind(escape(&owner.worker))
            .bind(escape(&owner.topic))
            .bind(owner.partition)
            .fetch_all(&mut *connection)
            .await?;
        let suspects = suspects::find(owner, connection).await?;
        Ok(FoundParked {
            lanes: lanes.iter().map(lane_of).collect::<Result<_, _>>()?,
            offsets: offsets
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?,
            suspects,
        })
    }
}

fn lane_of(row: &PgRow) -> Result<FoundLane, Error> {
    let cause: Option<String> = row.try_get("cause")?;
    let dependency: Option<String> = row.try_get("dependency")?;
    let look = match cause {
        None => None,
        Some(cause) => Some(ParkedLook {
            offset: row.try_get("head")?,
            cause: shared(cause),
            dependency: dependency.map(shared),
            due: micros(row.try_get::<Option<i64>, _>("due_us")?.unwrap_or_default()),
            attempts: count(row.try_get("attempts")?),
            age: micros(row.try_get("age_us")?),
        }),
    };
    Ok(FoundLane {
        lane: lane::decoded(row.try_get("lane")?)?,
        rows: size(row.try_get("rows")?),
        bytes: size(row.try_get("bytes")?),
        look,
        head: row.try_get("head")?,
        held: row.try_get("held")?,
    })
}

pub(super) async fn load(
    connections: &Connections,
    loads: Vec<ParkLoad>,
) -> Result<Vec<Vec<LoadedRow>>, StoreError> {
    if loads.is_empty() {
        return Ok(Vec::new());
    }
    connections.run(&Load(loads)).await
}

struct Load(Vec<ParkLoad>);

impl Load {
    fn column<'a, T>(&'a self, value: impl Fn(&'a ParkLoad) -> T) -> Vec<T> {
        self.0.iter().map(value).collect()
    }
}

impl Operation for Load {
    type Answer = Vec<Vec<LoadedRow>>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        let rows =
            sqlx::query(LOAD)
                .bind(self.column(|load| escape(&load.owner.worker)))
                .bind(self.column(|load| escape(&load.owner.topic)))
                .bind(self.column(|load| load.owner.partition))
                .bind(self.column(|load| lane::hash(&load.lane)))
                .bind(self.column(|load| lane::encoded(&load.lane)))
                .bind(self.column(|load| {
                    i64::try_from(load.rows_max.clamp(1, LOAD_ROWS_MAX)).unwrap_or(1)
                }))
                .bind(self.column(|load| load.through.unwrap_or(i64::MAX)))
                .fetch_all(connection)
                .await?;
        let mut answers: Vec<Vec<LoadedRow>> = self.0.iter().map(|_| Vec::new()).collect();
        for row in rows {
            let ordinal: i64 = row.try_get("ordinal")?;
            let index = usize::try_from(ordinal - 1).map_err(|_| Error::RowNotFound)?;
            let load = self.0.get(index).ok_or(Error::RowNotFound)?;
            let key: Option<Vec<u8>> = row.try_get("key")?;
            let value: Option<Vec<u8>> = row.try_get("value")?;
            answers[index].push(LoadedRow {
                row: ParkedRow {
                    lane: load.lane.clone(),
                    offset: row.try_get("record_offset")?,
                    timestamp_ms: row.try_get("timestamp_ms")?,
                    key: key.map(Bytes::from),
                    value: value.map(Bytes::from),
                    headers: lane::unpacked(row.try_get("headers")?)?,
                },
                attempts: count(row.try_get("attempts")?),
                age: micros(row.try_get("age_us")?),
                replayed: row.try_get("replayed")?,
            });
        }
        Ok(answers)
    }
}

fn micros(span: i64) -> Duration {
    Duration::from_micros(u64::try_from(span).unwrap_or(0))
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn size(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}
