//! `GET /v1/effects?source=&event=`: the effects of an event, over all workers. For the operator.

use argosy_store::{EffectRow, EffectState};
use axum::{
    Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    Api,
    problem::Problem,
    request::{Operator, name, query},
};

pub(crate) async fn endpoint(
    State(api): State<Api>,
    _operator: Operator,
    uri: Uri,
) -> Result<Response, Problem> {
    let [source, event] = query(&uri, ["source", "event"])?;
    let source = source.map_or_else(
        || Ok(api.source().to_owned()),
        |source| name("source", source),
    )?;
    let event = event.ok_or_else(|| Problem::invalid("event", "is missing"))?;
    let event = name("event", event)?;
    let rows = api
        .store()
        .effects(source, event)
        .await
        .map_err(|error| Problem::store(&error))?;
    let effects: Vec<Value> = rows.iter().map(effect).collect();
    Ok(Json(json!({ "effects": effects })).into_response())
}

/// An effect as the operator sees it: its recorded answer, not its request.
pub(crate) fn effect(row: &EffectRow) -> Value {
    let (state, answer, remaining) = match &row.state {
        EffectState::Succeeded(answer) => ("succeeded", serde_json::from_slice(answer).ok(), None),
        EffectState::Released => ("released", None, None),
        EffectState::Open(remaining) => ("open", None, *remaining),
    };
    let answer: Option<Value> = answer;
    json!({
        "worker": &*row.id.of.worker,
        "source": &*row.id.of.source,
        "event": &*row.id.of.event,
        "name": &*row.id.name,
        "key": &*row.id.key,
        "operation": &*row.operation,
        "claims": row.number,
        "state": state,
        "answer": answer,
        "expires_in_ms": remaining.map(|remaining| remaining.as_millis()),
        "age_ms": row.age.as_millis(),
    })
}
