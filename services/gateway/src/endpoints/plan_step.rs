//! Asking the owner of a dead record for something: how each answer of the store is told.

use argosy_store::{LetterId, PlanStepAnswer, PlanStepKind, PlanStepRefusal};
use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    Api,
    problem::Problem,
    request::{Operator, encoded},
    telemetry,
};

/// Asks, and answers 202 with where to see what came of it.
pub(crate) async fn ask(
    api: &Api,
    operator: &Operator,
    id: LetterId,
    kind: PlanStepKind,
) -> Result<Response, Problem> {
    let asked = api
        .store()
        .ask_plan_step(id.clone(), kind, operator.actor.clone());
    let answer = asked.await.map_err(|error| Problem::store(&error))?;
    match answer {
        PlanStepAnswer::Asked => {}
        PlanStepAnswer::Unknown => return Err(Problem::no_such_letter()),
        PlanStepAnswer::Open => {
            let detail = "something was asked of this letter and is not carried out yet";
            return Err(Problem::refused("already-asked", detail));
        }
        PlanStepAnswer::Refused(refusal) => {
            return Err(Problem::refused(refusal.name(), detail(refusal)));
        }
    }
    telemetry::PlanStepAsked {
        actor: &operator.actor,
        id: &id,
        kind,
    }
    .emit();
    let location = format!(
        "/v1/dead-letters/{}/{}/{}/{}",
        encoded(&id.worker),
        encoded(&id.topic),
        id.partition,
        id.offset
    );
    let document = json!({ "id": id.to_string(), "asked": kind.name() });
    let location = [(header::LOCATION, location)];
    Ok((StatusCode::ACCEPTED, location, Json(document)).into_response())
}

fn detail(refusal: PlanStepRefusal) -> &'static str {
    match refusal {
        PlanStepRefusal::IsReference => {
            "the letter holds not the whole record, so it cannot be replayed: publish the event again from its source"
        }
        PlanStepRefusal::NotDead => "the record is being replayed, or was done by a replay",
        PlanStepRefusal::NotHeld => "no key is held behind this record",
    }
}
