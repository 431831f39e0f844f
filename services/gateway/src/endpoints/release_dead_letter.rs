//! `POST /v1/dead-letters/{worker}/{topic}/{partition}/{offset}/release`: to let the records go on that wait behind a dead
//! one, without it. Audited with the ask.

use argosy_store::PlanStepKind;
use axum::{extract::State, response::Response};

use super::plan_step::ask;
use crate::{
    Api,
    problem::Problem,
    request::{DeadLetterId, Operator},
};

pub(crate) async fn endpoint(
    State(api): State<Api>,
    operator: Operator,
    DeadLetterId(id): DeadLetterId,
) -> Result<Response, Problem> {
    ask(&api, &operator, id, PlanStepKind::Release).await
}
