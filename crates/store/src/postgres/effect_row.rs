//! Reading an effect's row: one list of columns for every statement that answers effects.

use std::time::Duration;

use bytes::Bytes;
use sqlx::{Error, Row, postgres::PgRow};

use super::{fault::unreadable, text::shared};
use crate::{EffectId, EffectRow, EffectState, EventKey};

/// The columns, spans in microseconds by the server's clock; a statement is built as "select" + these + "from …".
macro_rules! effect_columns {
    () => {
        r#"
    effects.worker, effects.source, effects.event, effects.name, effects.key,
    effects.number, effects.run, effects.body_hash, effects.operation, effects.request, effects.state, effects.answer,
    (extract(epoch from effects.deadline - clock_timestamp()) * 1000000)::bigint as remaining_us,
    (extract(epoch from clock_timestamp() - effects.first_claimed_at) * 1000000)::bigint as age_us
"#
    };
}
pub(super) use effect_columns;

/// A row of `effect_columns`.
pub(super) fn effect_row(row: &PgRow) -> Result<EffectRow, Error> {
    let body_hash: Vec<u8> = row.try_get("body_hash")?;
    Ok(EffectRow {
        id: EffectId {
            of: EventKey {
                worker: shared(row.try_get("worker")?),
                source: shared(row.try_get("source")?),
                event: shared(row.try_get("event")?),
            },
            name: shared(row.try_get("name")?),
            key: shared(row.try_get("key")?),
        },
        number: row.try_get("number")?,
        run: row.try_get("run")?,
        body_hash: body_hash
            .try_into()
            .map_err(|_| unreadable("a body hash has not 32 bytes"))?,
        operation: shared(row.try_get("operation")?),
        request: bytes(row.try_get("request")?),
        state: state(row)?,
        age: span(row.try_get("age_us")?),
    })
}

fn state(row: &PgRow) -> Result<EffectState, Error> {
    let state: &str = row.try_get("state")?;
    let answer: Option<Vec<u8>> = row.try_get("answer")?;
    match (state, answer) {
        ("succeeded", Some(answer)) => Ok(EffectState::Succeeded(bytes(answer))),
        ("released", None) => Ok(EffectState::Released),
        ("open", None) => {
            let remaining = span(row.try_get("remaining_us")?);
            Ok(EffectState::Open(
                (!remaining.is_zero()).then_some(remaining),
            ))
        }
        _ => Err(unreadable(
            "an effect is in a state this build does not know",
        )),
    }
}

fn bytes(column: Vec<u8>) -> Bytes {
    Bytes::from(column)
}

/// A span that is over is zero.
fn span(microseconds: i64) -> Duration {
    Duration::from_micros(u64::try_from(microseconds).unwrap_or(0))
}
