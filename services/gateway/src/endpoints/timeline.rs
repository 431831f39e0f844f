//! `GET /v1/timelines/{correlation_id}`: everything that happened in a business flow, oldest first, page by page.
//!
//! A page that is full has `next`: asked for `after` it, the following rows come. Every row of a flow can be reached.

use argosy_store::{TimelinePlace, TimelineRow};
use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    Api, clock,
    problem::Problem,
    request::{Name, query},
};

/// Rows of one answer, unless asked otherwise.
const ROWS: u32 = 1_000;

/// Most rows of one answer.
const ROWS_MAX: u32 = 10_000;

pub(crate) async fn endpoint(
    State(api): State<Api>,
    Name(id): Name,
    uri: Uri,
) -> Result<Response, Problem> {
    let [rows_max, after] = query(&uri, ["rows_max", "after"])?;
    let rows_max = rows_max.map_or(Some(ROWS), |text| text.parse().ok());
    let rows_max = rows_max
        .filter(|rows| (1..=ROWS_MAX).contains(rows))
        .ok_or_else(|| {
            let wanted = format!("must be a whole number between 1 and {ROWS_MAX}");
            Problem::invalid("rows_max", wanted)
        })?;
    let after = after
        .as_deref()
        .map(|text| {
            place(text).ok_or_else(|| Problem::invalid("after", "is not the `next` of an answer"))
        })
        .transpose()?;
    let rows = api
        .store()
        .timeline(
            id.clone(),
            after.unwrap_or(TimelinePlace::BEFORE_ALL),
            rows_max,
        )
        .await
        .map_err(|error| Problem::store(&error))?;
    if rows.is_empty() && after.is_none() {
        return Err(Problem::not_found(
            "nothing is known of this flow; a new one shows within a second",
        ));
    }
    // As many as asked for may mean that there are more.
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count >= rows_max);
    let next = rows.last().filter(|_| is_full).map(next);
    let entries: Vec<Value> = rows.iter().map(entry).collect();
    let document = json!({
        "correlation_id": id,
        "entries": entries,
        "truncated": is_full,
        "next": next,
    });
    Ok(Json(document).into_response())
}

/// What leads behind this row; read again by [`place`].
fn next(row: &TimelineRow) -> String {
    let TimelinePlace {
        at_ms,
        instance,
        number,
    } = row.place();
    format!("{at_ms}.{instance}.{number}")
}

fn place(text: &str) -> Option<TimelinePlace> {
    let (at_ms, rest) = text.split_once('.')?;
    let (instance, number) = rest.split_once('.')?;
    Some(TimelinePlace {
        at_ms: at_ms.parse().ok()?,
        instance: Uuid::parse_str(instance).ok()?,
        number: number.parse().ok()?,
    })
}

fn entry(row: &TimelineRow) -> Value {
    json!({
        "at": clock::shown(row.at_ms),
        "at_ms": row.at_ms,
        "worker": &*row.worker,
        "instance": row.instance.to_string(),
        "number": row.number,
        "source": &*row.source,
        "id": &*row.event,
        "type": &*row.event_type,
        "state": &*row.state,
        "steps": row.steps,
    })
}
