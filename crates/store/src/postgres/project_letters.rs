//! Projecting dead letters: one row per dead record, which its newest letter makes dead again.

use std::collections::HashMap;

use sqlx::{Connection, Error, PgConnection};

use super::{
    connection::{Connections, Operation},
    identity::{bytes_hash, text_hash},
    lane,
    text::escape,
};
use crate::{LetterId, LetterRow, StoreError};

/// Sorted, so that two batches never wait for each other in a ring.
const PROJECT: &str = r#"
insert into dead_letters as before (
    worker, topic, partition, record_offset, letter_partition, letter_offset, source, event, event_type, correlation,
    correlation_hash, timestamp_ms, key, key_hash, value, headers, bytes, is_reference, cause, fingerprint,
    fingerprint_hash, message, dependency, status, attempts, first_failure_ms, last_failure_ms, epoch, build
)
select * from unnest(
    $1::text[], $2::text[], $3::integer[], $4::bigint[], $5::integer[], $6::bigint[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::bytea[], $12::bigint[], $13::bytea[], $14::bytea[], $15::bytea[], $16::bytea[],
    $17::bigint[], $18::boolean[], $19::text[], $20::text[], $21::bytea[], $22::text[], $23::text[], $24::integer[],
    $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], $29::text[]
) as asked (
    worker, topic, partition, record_offset, letter_partition, letter_offset, source, event, event_type, correlation,
    correlation_hash, timestamp_ms, key, key_hash, value, headers, bytes, is_reference, cause, fingerprint,
    fingerprint_hash, message, dependency, status, attempts, first_failure_ms, last_failure_ms, epoch, build
)
order by worker collate "C", topic collate "C", partition, record_offset
on conflict (worker, topic, partition, record_offset) do update
set letter_partition = excluded.letter_partition, letter_offset = excluded.letter_offset, source = excluded.source,
    event = excluded.event, event_type = excluded.event_type, correlation = excluded.correlation,
    correlation_hash = excluded.correlation_hash, timestamp_ms = excluded.timestamp_ms, key = excluded.key,
    key_hash = excluded.key_hash, value = excluded.value, headers = excluded.headers, bytes = excluded.bytes,
    is_reference = excluded.is_reference, cause = excluded.cause, fingerprint = excluded.fingerprint,
    fingerprint_hash = excluded.fingerprint_hash, message = excluded.message, dependency = excluded.dependency,
    status = excluded.status, attempts = excluded.attempts, first_failure_ms = excluded.first_failure_ms,
    last_failure_ms = excluded.last_failure_ms, epoch = excluded.epoch, build = excluded.build, state = 'dead',
    deaths = before.deaths + 1
where case
    when excluded.letter_partition = before.letter_partition then excluded.letter_offset > before.letter_offset
    else (excluded.last_failure_ms, excluded.letter_partition, excluded.letter_offset)
        > (before.last_failure_ms, before.letter_partition, before.letter_offset)
end
"#;

pub(super) async fn project(
    connections: &Connections,
    rows: Vec<LetterRow>,
) -> Result<(), StoreError> {
    rows.iter().try_for_each(LetterRow::check)?;
    if rows.is_empty() {
        return Ok(());
    }
    connections.run(&Project(rounds(&rows))).await
}

/// One statement cannot change a row twice: the second letter of a record goes with the second round.
fn rounds(rows: &[LetterRow]) -> Vec<Vec<&LetterRow>> {
    let mut rounds: Vec<Vec<&LetterRow>> = Vec::new();
    let mut seen: HashMap<&LetterId, usize> = HashMap::new();
    for row in rows {
        let round = seen.entry(&row.id).or_default();
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push(row);
        *round += 1;
    }
    rounds
}

struct Project<'a>(Vec<Vec<&'a LetterRow>>);

impl Operation for Project<'_> {
    type Answer = ();

    async fn run(&self, connection: &mut PgConnection) -> Result<(), Error> {
        if let [only] = &self.0[..] {
            return project_round(only, connection).await;
        }
        let mut transaction = connection.begin().await?;
        for round in &self.0 {
            project_round(round, &mut transaction).await?;
        }
        transaction.commit().await
    }
}

async fn project_round(rows: &[&LetterRow], connection: &mut PgConnection) -> Result<(), Error> {
    fn column<'a, T>(rows: &[&'a LetterRow], value: impl Fn(&'a LetterRow) -> T) -> Vec<T> {
        rows.iter().map(|row| value(row)).collect()
    }
    sqlx::query(PROJECT)
        .bind(column(rows, |row| escape(&row.id.worker)))
        .bind(column(rows, |row| escape(&row.id.topic)))
        .bind(column(rows, |row| row.id.partition))
        .bind(column(rows, |row| row.id.offset))
        .bind(column(rows, |row| row.letter_partition))
        .bind(column(rows, |row| row.letter_offset))
        .bind(column(rows, |row| row.source.as_deref().map(escape)))
        .bind(column(rows, |row| row.event.as_deref().map(escape)))
        .bind(column(rows, |row| row.event_type.as_deref().map(escape)))
        .bind(column(rows, |row| row.correlation.as_deref().map(escape)))
        .bind(column(rows, |row| {
            row.correlation.as_deref().map(text_hash)
        }))
        .bind(column(rows, |row| row.timestamp_ms))
        .bind(column(rows, |row| row.key.as_deref()))
        .bind(column(rows, |row| row.key.as_deref().map(bytes_hash)))
        .bind(column(rows, |row| row.value.as_deref()))
        .bind(column(rows, |row| lane::packed(&row.headers)))
        .bind(column(rows, |row| {
            i64::try_from(row.bytes()).unwrap_or(i64::MAX)
        }))
        .bind(column(rows, |row| row.is_reference))
        .bind(column(rows, |row| escape(&row.cause)))
        .bind(column(rows, |row| escape(&row.fingerprint)))
        .bind(column(rows, |row| text_hash(&row.fingerprint)))
        .bind(column(rows, |row| escape(&row.message)))
        .bind(column(rows, |row| row.dependency.as_deref().map(escape)))
        .bind(column(rows, |row| row.status))
        .bind(column(rows, |row| row.attempts))
        .bind(column(rows, |row| row.first_failure_ms))
        .bind(column(rows, |row| row.last_failure_ms))
        .bind(column(rows, |row| row.epoch))
        .bind(column(rows, |row| escape(&row.build)))
        .execute(connection)
        .await?;
    Ok(())
}
