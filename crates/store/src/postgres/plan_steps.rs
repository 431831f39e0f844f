//! Plan steps: asking the owner of a dead record for something, and what waits for owners.

use std::collections::BTreeSet;

use bytes::Bytes;
use sqlx::{Connection, Error, PgConnection, Row, postgres::PgRow};

use super::{
    audit::AUDIT,
    connection::{Connections, Operation},
    fault::unreadable,
    letters::one_listed,
    text::{escape, shared},
};
use crate::{DueStep, LetterId, OwnerKey, PlanStepAnswer, PlanStepKind, StoreError, limits};

/// Whoever asks something of a letter holds its row, so that what is read behind this stands until the end.
const LOCK: &str = r#"
select from dead_letters where worker = $1 and topic = $2 and partition = $3 and record_offset = $4
for no key update
"#;

const ASK: &str = r#"
insert into plan_steps (worker, topic, partition, record_offset, kind, actor) values ($1, $2, $3, $4, $5, $6)
"#;

/// Two lookups per owner, however many steps are open.
const DUE: &str = r#"
select asked.worker, asked.topic, asked.partition, due.step, due.kind, due.record_offset, letters.key, letters.bytes
from unnest($1::text[], $2::text[], $3::integer[]) as asked (worker, topic, partition)
cross join lateral (
    select min(step) as oldest from plan_steps as step
    where step.worker = asked.worker and step.topic = asked.topic and step.partition = asked.partition
        and step.carried_out_at is null
) as first
cross join lateral (
    select step, kind, record_offset from plan_steps as step
    where step.worker = asked.worker and step.topic = asked.topic and step.partition = asked.partition
        and step.carried_out_at is null
    order by record_offset
    limit $4
) as due
join dead_letters as letters
    on letters.worker = asked.worker and letters.topic = asked.topic and letters.partition = asked.partition
        and letters.record_offset = due.record_offset
order by first.oldest, due.record_offset
limit $4
"#;

pub(super) async fn ask(
    connections: &Connections,
    id: LetterId,
    kind: PlanStepKind,
    actor: String,
) -> Result<PlanStepAnswer, StoreError> {
    connections.run(&Ask { id, kind, actor }).await
}

struct Ask {
    id: LetterId,
    kind: PlanStepKind,
    actor: String,
}

impl Operation for Ask {
    type Answer = PlanStepAnswer;

    /// Committed, but not heard of, it would be answered as open the second time.
    const IS_REPEATABLE: bool = false;

    async fn run(&self, connection: &mut PgConnection) -> Result<PlanStepAnswer, Error> {
        let Self { id, kind, actor } = self;
        let mut transaction = connection.begin().await?;
        sqlx::query(LOCK)
            .bind(escape(&id.worker))
            .bind(escape(&id.topic))
            .bind(id.partition)
            .bind(id.offset)
            .execute(&mut *transaction)
            .await?;
        // A statement of its own: it sees what was committed while the lock was waited for.
        let letter = one_listed(id, &mut transaction).await?;
        let answer = letter.map_or(PlanStepAnswer::Unknown, |letter| letter.answer(*kind));
        if answer == PlanStepAnswer::Asked {
            sqlx::query(ASK)
                .bind(escape(&id.worker))
                .bind(escape(&id.topic))
                .bind(id.partition)
                .bind(id.offset)
                .bind(kind.name())
                .bind(escape(actor))
                .execute(&mut *transaction)
                .await?;
        }
        if let Some(subject) = answer.subject(id) {
            sqlx::query(AUDIT)
                .bind(escape(actor))
                .bind(kind.action())
                .bind(subject.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(answer)
    }
}

pub(super) async fn due(
    connections: &Connections,
    owners: Vec<OwnerKey>,
    rows_max: u32,
) -> Result<Vec<DueStep>, StoreError> {
    let owners: BTreeSet<OwnerKey> = owners.into_iter().collect();
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let rows_max = i64::from(rows_max.min(limits::DUE_STEPS_MAX));
    connections.run(&Due { owners, rows_max }).await
}

struct Due {
    owners: BTreeSet<OwnerKey>,
    rows_max: i64,
}

impl Due {
    fn column<'a, T>(&'a self, value: impl Fn(&'a OwnerKey) -> T) -> Vec<T> {
        self.owners.iter().map(value).collect()
    }
}

impl Operation for Due {
    type Answer = Vec<DueStep>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<DueStep>, Error> {
        let rows = sqlx::query(DUE)
            .bind(self.column(|owner| escape(&owner.worker)))
            .bind(self.column(|owner| escape(&owner.topic)))
            .bind(self.column(|owner| owner.partition))
            .bind(self.rows_max)
            .fetch_all(connection)
            .await?;
        rows.iter().map(due_step).collect()
    }
}

fn due_step(row: &PgRow) -> Result<DueStep, Error> {
    Ok(DueStep {
        step: row.try_get("step")?,
        owner: OwnerKey {
            worker: shared(row.try_get("worker")?),
            topic: shared(row.try_get("topic")?),
            partition: row.try_get("partition")?,
        },
        kind: PlanStepKind::named(row.try_get("kind")?)
            .ok_or_else(|| unreadable("a plan step is of a kind this build does not know"))?,
        offset: row.try_get("record_offset")?,
        key: row.try_get::<Option<Vec<u8>>, _>("key")?.map(Bytes::from),
        bytes: usize::try_from(row.try_get::<i64, _>("bytes")?).unwrap_or(usize::MAX),
    })
}
