//! `GET /v1/dead-letters/{worker}/{topic}/{partition}/{offset}`: one dead record. For the operator.
//!
//! What the record says may be somebody's personal data: it is shown on `?value=true` alone.

use argosy_store::Letter;
use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::dead_letters::{bytes, shown};
use crate::{
    Api,
    problem::Problem,
    request::{DeadLetterId, Operator, query},
};

pub(crate) async fn endpoint(
    State(api): State<Api>,
    _operator: Operator,
    DeadLetterId(id): DeadLetterId,
    uri: Uri,
) -> Result<Response, Problem> {
    let [value] = query(&uri, ["value"])?;
    let with_value = value
        .map_or(Ok(false), |text| text.parse())
        .map_err(|_| Problem::invalid("value", "must be true or false"))?;
    let letter = api
        .store()
        .dead_letter(id)
        .await
        .map_err(|error| Problem::store(&error))?
        .ok_or_else(Problem::no_such_letter)?;
    let mut document = shown(&letter);
    document["bytes"] = letter.row.bytes().into();
    if with_value {
        add_record(&mut document, &letter);
    }
    Ok(Json(document).into_response())
}

fn add_record(document: &mut Value, letter: &Letter) {
    let headers = letter.row.headers.iter();
    let headers: Vec<Value> = headers
        .map(|(name, value)| json!({ "name": name, "value": bytes(value) }))
        .collect();
    document["headers"] = headers.into();
    document["value"] = letter.row.value.as_deref().map_or(Value::Null, bytes);
}
