//! `POST /v1/orders`: creates a draft.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{answered, fingerprint};
use crate::{
    Operation,
    app::{App, ReceivedAt},
    call, draft_order,
    faults::Target,
    idempotency_key, json_body,
    ledger::{Ask, Change},
    problem::Problem,
};

pub(crate) async fn endpoint(
    State(app): State<Arc<App>>,
    Extension(received): Extension<ReceivedAt>,
    Path(supplier): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Response> {
    let admitted = call::admit(&app, &supplier, &headers).map_err(Problem::into_response)?;
    let body = json_body::required(&headers, body)
        .await
        .map_err(Problem::into_response)?;
    let draft = draft_order::read(&body.value)
        .map_err(|faults| Problem::invalid(faults).into_response())?;
    let idempotency_key = idempotency_key::read(&headers).map_err(Problem::into_response)?;
    let key = draft.aggregate_key.clone();
    let target = Target {
        supplier: &supplier,
        operation: Operation::Draft,
        key: key.as_deref(),
    };
    let ledger = app.ledger.clone();
    let work = move |slow_body| async move {
        let change = Change {
            vendor: admitted.supplier,
            ask: Ask::Draft(draft),
            idempotency_key,
            fingerprint: fingerprint("draft", "", &body.bytes),
            received_at: received.0,
            slow_body,
        };
        answered(ledger.change(change).await)
    };
    Ok(call::carry_out(&app, target, work).await)
}
