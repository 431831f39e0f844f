//! `POST /v1/effects/resolve`: an operator's word on an effect whose outcome nobody else can find out.
//!
//! It is refused while a claim is still good, and where an outcome is recorded already; it is audited with the change.

use std::sync::Arc;

use argosy_store::{EffectId, EventKey, Resolution, Resolved, StoreError};
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::effects::effect;
use crate::{
    Api,
    problem::Problem,
    request::{Body, Operator, json, name},
    telemetry,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    worker: String,
    source: String,
    event: String,
    name: String,
    key: String,
    /// The vendor's answer as the worker would have recorded it; `null` is an answer too.
    #[serde(default, deserialize_with = "present")]
    happened: Option<Box<RawValue>>,
    #[serde(default)]
    did_not_happen: bool,
}

pub(crate) async fn endpoint(
    State(api): State<Api>,
    operator: Operator,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Problem> {
    let asked: Asked = json(&headers, &body)?;
    let resolution = match (asked.happened, asked.did_not_happen) {
        (Some(answer), false) => Resolution::Happened(Bytes::from(answer.get().to_owned())),
        (None, true) => Resolution::DidNotHappen,
        _ => {
            return Err(Problem::invalid(
                "happened",
                "say either happened or did_not_happen: true",
            ));
        }
    };
    let id = EffectId {
        of: EventKey {
            worker: text("worker", asked.worker)?,
            source: text("source", asked.source)?,
            event: text("event", asked.event)?,
        },
        name: text("name", asked.name)?,
        key: text("key", asked.key)?,
    };
    let happened = matches!(resolution, Resolution::Happened(_));
    let resolved = api
        .store()
        .resolve(id, resolution, operator.actor.clone())
        .await;
    match resolved.map_err(|error| refused(&error))? {
        Resolved::Now(row) => {
            telemetry::EffectResolved {
                actor: &operator.actor,
                happened,
            }
            .emit();
            Ok(Json(effect(&row)).into_response())
        }
        Resolved::Unknown => Err(Problem::not_found("there is no such effect")),
        Resolved::Refused(row) => Err(Problem::conflict(format!(
            "the effect is {} and was not changed: only an open one whose claim has expired is resolved by hand",
            effect(&row)["state"].as_str().unwrap_or_default()
        ))),
    }
}

/// What the store calls the answer came as `happened`.
fn refused(error: &StoreError) -> Problem {
    match error {
        StoreError::TooLarge {
            what: "answer",
            bytes_max,
            ..
        } => Problem::invalid("happened", format!("is longer than {bytes_max} bytes")),
        _ => Problem::store(error),
    }
}

fn text(path: &str, text: String) -> Result<Arc<str>, Problem> {
    name(path, text).map(Arc::from)
}

/// Tells `null` from nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}
