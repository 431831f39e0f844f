//! Records that were running when a process died: told, found with what is parked, and forgotten.

use sqlx::{Error, PgConnection, Row};

use super::{
    connection::{Connections, Operation},
    text::escape,
};
use crate::{
    FoundSuspect, LeftRecord, LeftRunning, OwnerKey, StoreError,
    limits::{DEATHS_KEPT_MAX, SUSPECTS_MAX},
};

/// Sorted, so that two tellers wait for each other in one order.
const TELL: &str = r#"
insert into suspects (worker, topic, partition, record_offset, dead)
select $1, topic, partition, record_offset, case when alone then array[$2::uuid] else '{}'::uuid[] end
from unnest($3::text[], $4::integer[], $5::bigint[], $6::boolean[])
    as asked (topic, partition, record_offset, alone)
order by topic collate "C", partition, record_offset
on conflict (worker, topic, partition, record_offset) do update
set dead = suspects.dead || excluded.dead
where not excluded.dead <@ suspects.dead and cardinality(suspects.dead) < $7
"#;

const FIND: &str = r#"
select record_offset, cardinality(dead)::bigint as deaths from suspects
where worker = $1 and topic = $2 and partition = $3
order by record_offset
limit $4
"#;

const FORGET: &str = r#"
delete from suspects
using unnest($4::bigint[]) as asked (record_offset)
where worker = $1 and topic = $2 and partition = $3 and suspects.record_offset = asked.record_offset
    and not exists (
        select from parked
        where parked.worker = $1 and parked.topic = $2 and parked.partition = $3
            and parked.record_offset = suspects.record_offset and settled_at is null
    )
"#;

pub(super) async fn tell(connections: &Connections, left: LeftRunning) -> Result<(), StoreError> {
    left.check()?;
    let records = left.once();
    if records.is_empty() {
        return Ok(());
    }
    connections.run(&Tell { left, records }).await
}

struct Tell {
    left: LeftRunning,
    records: Vec<LeftRecord>,
}

impl Tell {
    fn column<'a, T>(&'a self, value: impl Fn(&'a LeftRecord) -> T) -> Vec<T> {
        self.records.iter().map(value).collect()
    }
}

impl Operation for Tell {
    type Answer = ();

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(TELL)
            .bind(escape(&self.left.worker))
            .bind(self.left.instance)
            .bind(self.column(|record| escape(&record.topic)))
            .bind(self.column(|record| record.partition))
            .bind(self.column(|record| record.offset))
            .bind(self.column(|record| record.alone))
            .bind(i32::try_from(DEATHS_KEPT_MAX).unwrap_or(i32::MAX))
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// The suspects of a partition, the oldest first.
pub(super) async fn find(
    owner: &OwnerKey,
    connection: &mut PgConnection,
) -> Result<Vec<FoundSuspect>, Error> {
    let rows = sqlx::query(FIND)
        .bind(escape(&owner.worker))
        .bind(escape(&owner.topic))
        .bind(owner.partition)
        .bind(i64::try_from(SUSPECTS_MAX).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let found = rows.iter().map(|row| {
        let deaths: i64 = row.try_get("deaths")?;
        Ok(FoundSuspect {
            offset: row.try_get("record_offset")?,
            deaths: u32::try_from(deaths).unwrap_or(u32::MAX),
        })
    });
    found.collect()
}

pub(super) async fn forget(
    connections: &Connections,
    owner: OwnerKey,
    offsets: Vec<i64>,
) -> Result<(), StoreError> {
    if offsets.is_empty() {
        return Ok(());
    }
    connections.run(&Forget { owner, offsets }).await
}

struct Forget {
    owner: OwnerKey,
    offsets: Vec<i64>,
}

impl Operation for Forget {
    type Answer = ();

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Error> {
        sqlx::query(FORGET)
            .bind(escape(&self.owner.worker))
            .bind(escape(&self.owner.topic))
            .bind(self.owner.partition)
            .bind(&self.offsets)
            .execute(connection)
            .await?;
        Ok(())
    }
}
