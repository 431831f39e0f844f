//! Reading dead letters: a page of them without their values, or one whole.

use bytes::Bytes;
use sqlx::{Error, PgConnection, Row, postgres::PgRow};

use super::{
    connection::{Connections, Operation},
    fault::unreadable,
    identity::{bytes_hash, text_hash},
    lane,
    text::{escape, shared},
};
use crate::{
    Letter, LetterId, LetterQuestion, LetterRow, LetterState, PlanStepKind, StoreError, limits,
};

/// The columns of a letter but its value and headers; a statement is built as "select" + these + "from dead_letters …".
macro_rules! letter_columns {
    () => {
        r#"
    dead_letters.worker, dead_letters.topic, dead_letters.partition, dead_letters.record_offset, letter_partition,
    letter_offset, source, event, event_type, correlation, timestamp_ms, key, is_reference, cause, fingerprint, message,
    dependency, status, attempts, first_failure_ms, last_failure_ms, epoch, build, state, deaths,
    exists (
        select from held_keys as held
        where held.worker = dead_letters.worker and held.topic = dead_letters.topic
            and held.partition = dead_letters.partition and held.record_offset = dead_letters.record_offset
    ) as held,
    (
        select kind from plan_steps as step
        where step.worker = dead_letters.worker and step.topic = dead_letters.topic
            and step.partition = dead_letters.partition and step.record_offset = dead_letters.record_offset
            and step.carried_out_at is null
    ) as open_step
"#
    };
}

/// What does not matter is null, and planned away. Hashes find rows, texts decide.
const LIST: &str = concat!(
    "select",
    letter_columns!(),
    r#"
from dead_letters
where ($1::text is null or worker = $1) and ($2::text is null or topic = $2) and ($3::text is null or cause = $3)
    and ($4::bytea is null or (fingerprint_hash = $4 and fingerprint = $5))
    and ($6::bytea is null or (correlation_hash = $6 and correlation = $7))
    and ($8::bytea is null or (key_hash = $8 and key = $9))
    and ($10::text is null or state = $10)
    and ($11::boolean is null or $11 = exists (
        select from held_keys as held
        where held.worker = dead_letters.worker and held.topic = dead_letters.topic
            and held.partition = dead_letters.partition and held.record_offset = dead_letters.record_offset
    ))
    and (
        $12::bigint is null
        or (last_failure_ms, worker, topic, partition, record_offset) < ($12, $13::text, $14::text, $15, $16)
    )
order by last_failure_ms desc, worker desc, topic desc, partition desc, record_offset desc
limit $17
"#
);

const ONE: &str = concat!(
    "select",
    letter_columns!(),
    ", value, headers from dead_letters where worker = $1 and topic = $2 and partition = $3 and record_offset = $4"
);

const ONE_LISTED: &str = concat!(
    "select",
    letter_columns!(),
    "from dead_letters where worker = $1 and topic = $2 and partition = $3 and record_offset = $4"
);

pub(super) async fn list(
    connections: &Connections,
    question: LetterQuestion,
) -> Result<Vec<Letter>, StoreError> {
    connections.run(&List(question)).await
}

pub(super) async fn one(
    connections: &Connections,
    id: LetterId,
) -> Result<Option<Letter>, StoreError> {
    connections.run(&One(id)).await
}

struct List(LetterQuestion);

impl Operation for List {
    type Answer = Vec<Letter>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Vec<Letter>, Error> {
        let asked = &self.0;
        let text = |text: &Option<String>| text.as_deref().map(|text| escape(text).into_owned());
        let hash = |text: &Option<String>| text.as_deref().map(text_hash);
        let after = asked.after.as_ref();
        let rows = sqlx::query(LIST)
            .bind(text(&asked.worker))
            .bind(text(&asked.topic))
            .bind(text(&asked.cause))
            .bind(hash(&asked.fingerprint))
            .bind(text(&asked.fingerprint))
            .bind(hash(&asked.correlation))
            .bind(text(&asked.correlation))
            .bind(asked.key.as_deref().map(bytes_hash))
            .bind(asked.key.as_deref())
            .bind(asked.state.map(LetterState::name))
            .bind(asked.held)
            .bind(after.map(|place| place.last_failure_ms))
            .bind(after.map(|place| escape(&place.id.worker)))
            .bind(after.map(|place| escape(&place.id.topic)))
            .bind(after.map(|place| place.id.partition))
            .bind(after.map(|place| place.id.offset))
            .bind(i64::from(asked.rows_max.min(limits::OPERATOR_ROWS_MAX)))
            .fetch_all(connection)
            .await?;
        rows.iter().map(listed).collect()
    }
}

struct One(LetterId);

impl Operation for One {
    type Answer = Option<Letter>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Option<Letter>, Error> {
        let Some(row) = fetch(ONE, &self.0, connection).await? else {
            return Ok(None);
        };
        let mut letter = listed(&row)?;
        letter.row.value = row.try_get::<Option<Vec<u8>>, _>("value")?.map(Bytes::from);
        letter.row.headers = lane::unpacked(row.try_get("headers")?)?;
        Ok(Some(letter))
    }
}

/// One letter without its value and headers.
pub(super) async fn one_listed(
    id: &LetterId,
    connection: &mut PgConnection,
) -> Result<Option<Letter>, Error> {
    let row = fetch(ONE_LISTED, id, connection).await?;
    row.as_ref().map(listed).transpose()
}

async fn fetch(
    statement: &'static str,
    id: &LetterId,
    connection: &mut PgConnection,
) -> Result<Option<PgRow>, Error> {
    sqlx::query(statement)
        .bind(escape(&id.worker))
        .bind(escape(&id.topic))
        .bind(id.partition)
        .bind(id.offset)
        .fetch_optional(connection)
        .await
}

/// A row of `letter_columns`.
fn listed(row: &PgRow) -> Result<Letter, Error> {
    let state: &str = row.try_get("state")?;
    let open_step: Option<&str> = row.try_get("open_step")?;
    let open_step = open_step.map(|kind| {
        PlanStepKind::named(kind)
            .ok_or_else(|| unreadable("a plan step is of a kind this build does not know"))
    });
    Ok(Letter {
        row: LetterRow {
            id: LetterId {
                worker: shared(row.try_get("worker")?),
                topic: shared(row.try_get("topic")?),
                partition: row.try_get("partition")?,
                offset: row.try_get("record_offset")?,
            },
            letter_partition: row.try_get("letter_partition")?,
            letter_offset: row.try_get("letter_offset")?,
            source: text(row, "source")?,
            event: text(row, "event")?,
            event_type: text(row, "event_type")?,
            correlation: text(row, "correlation")?,
            timestamp_ms: row.try_get("timestamp_ms")?,
            key: row.try_get::<Option<Vec<u8>>, _>("key")?.map(Bytes::from),
            value: None,
            headers: Vec::new(),
            is_reference: row.try_get("is_reference")?,
            cause: shared(row.try_get("cause")?),
            fingerprint: shared(row.try_get("fingerprint")?),
            message: shared(row.try_get("message")?),
            dependency: text(row, "dependency")?,
            status: row.try_get("status")?,
            attempts: row.try_get("attempts")?,
            first_failure_ms: row.try_get("first_failure_ms")?,
            last_failure_ms: row.try_get("last_failure_ms")?,
            epoch: row.try_get("epoch")?,
            build: shared(row.try_get("build")?),
        },
        state: LetterState::named(state)
            .ok_or_else(|| unreadable("a dead letter is in a state this build does not know"))?,
        deaths: u32::try_from(row.try_get::<i64, _>("deaths")?).unwrap_or(u32::MAX),
        held: row.try_get("held")?,
        open_step: open_step.transpose()?,
    })
}

fn text(row: &PgRow, column: &str) -> Result<Option<std::sync::Arc<str>>, Error> {
    Ok(row.try_get::<Option<String>, _>(column)?.map(shared))
}
