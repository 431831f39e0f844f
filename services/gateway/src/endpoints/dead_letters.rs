//! `GET /v1/dead-letters`: dead records, newest first, page by page, without what they say. For the operator.
//!
//! A page that is full has `next`: asked for `after` it, the following ones come.

use argosy_store::{Letter, LetterPlace, LetterQuestion, LetterState, limits};
use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    Api, clock,
    problem::Problem,
    request::{Operator, name, query},
};

/// Letters of one answer, unless asked otherwise.
const ROWS: u32 = 100;

const ROWS_MAX: u32 = limits::OPERATOR_ROWS_MAX;

pub(crate) async fn endpoint(
    State(api): State<Api>,
    _operator: Operator,
    uri: Uri,
) -> Result<Response, Problem> {
    let question = question(&uri)?;
    let rows_max = question.rows_max;
    let letters = api
        .store()
        .dead_letters(question)
        .await
        .map_err(|error| Problem::store(&error))?;
    // As many as asked for may mean that there are more.
    let is_full = u32::try_from(letters.len()).is_ok_and(|count| count >= rows_max);
    let next = letters.last().filter(|_| is_full).map(next);
    let shown: Vec<Value> = letters.iter().map(shown).collect();
    let document = json!({ "dead_letters": shown, "truncated": is_full, "next": next });
    Ok(Json(document).into_response())
}

fn question(uri: &Uri) -> Result<LetterQuestion, Problem> {
    let names = [
        "worker",
        "topic",
        "cause",
        "fingerprint",
        "correlation",
        "key",
        "state",
        "held",
        "rows_max",
        "after",
    ];
    let [
        worker,
        topic,
        cause,
        fingerprint,
        correlation,
        key,
        state,
        held,
        rows_max,
        after,
    ] = query(uri, names)?;
    let text =
        |path: &'static str, text: Option<String>| text.map(|text| name(path, text)).transpose();
    let states = LetterState::ALL.map(LetterState::name).join(", ");
    let after = after.map(|text| {
        place(&text).ok_or_else(|| Problem::invalid("after", "is not the `next` of an answer"))
    });
    let held = held.map(|text| {
        text.parse::<bool>()
            .map_err(|_| Problem::invalid("held", "must be true or false"))
    });
    let state = state.map(|text| {
        LetterState::named(&text)
            .ok_or_else(|| Problem::invalid("state", format!("must be one of {states}")))
    });
    let rows_max = rows_max.map_or(Some(ROWS), |text| text.parse().ok());
    let rows_max = rows_max
        .filter(|rows| (1..=ROWS_MAX).contains(rows))
        .ok_or_else(|| {
            let wanted = format!("must be a whole number between 1 and {ROWS_MAX}");
            Problem::invalid("rows_max", wanted)
        })?;
    Ok(LetterQuestion {
        worker: text("worker", worker)?,
        topic: text("topic", topic)?,
        cause: text("cause", cause)?,
        fingerprint: text("fingerprint", fingerprint)?,
        correlation: text("correlation", correlation)?,
        key: text("key", key)?.map(Bytes::from),
        state: state.transpose()?,
        held: held.transpose()?,
        after: after.transpose()?,
        rows_max,
    })
}

/// What leads behind this letter; read again by [`place`].
fn next(letter: &Letter) -> String {
    let LetterPlace {
        last_failure_ms,
        id,
    } = letter.row.place();
    format!("{last_failure_ms}.{id}")
}

fn place(text: &str) -> Option<LetterPlace> {
    let (last_failure_ms, id) = text.split_once('.')?;
    Some(LetterPlace {
        last_failure_ms: last_failure_ms.parse().ok()?,
        id: id.parse().ok()?,
    })
}

/// A letter without its record's value and headers.
pub(crate) fn shown(letter: &Letter) -> Value {
    let row = &letter.row;
    json!({
        "id": row.id.to_string(),
        "worker": &*row.id.worker,
        "topic": &*row.id.topic,
        "partition": row.id.partition,
        "offset": row.id.offset,
        "letter": { "partition": row.letter_partition, "offset": row.letter_offset },
        "state": letter.state.name(),
        "deaths": letter.deaths,
        "held": letter.held,
        "asked": letter.open_step.map(|kind| kind.name()),
        "is_reference": row.is_reference,
        "cause": &*row.cause,
        "fingerprint": &*row.fingerprint,
        "message": &*row.message,
        "dependency": row.dependency.as_deref(),
        "status": row.status,
        "attempts": row.attempts,
        "first_failure": clock::shown(row.first_failure_ms),
        "last_failure": clock::shown(row.last_failure_ms),
        "source": row.source.as_deref(),
        "event": row.event.as_deref(),
        "type": row.event_type.as_deref(),
        "correlation_id": row.correlation.as_deref(),
        "key": row.key.as_deref().map(bytes),
        "written": row.timestamp_ms.and_then(clock::shown),
        "epoch": row.epoch,
        "build": &*row.build,
    })
}

/// Bytes for people and for programs: as text, if they are text, and exactly.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    json!({ "text": std::str::from_utf8(bytes).ok(), "base64": STANDARD.encode(bytes) })
}
