//! `POST /v1/orders/{order_id}/confirm`: confirms a draft.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};

use super::{answered, fingerprint, show_order::aggregate_key};
use crate::{
    Operation,
    app::{App, ReceivedAt},
    call, draft_order,
    faults::Target,
    idempotency_key, json_body,
    ledger::{Ask, Change, Find},
    problem::Problem,
};

pub(crate) async fn endpoint(
    State(app): State<Arc<App>>,
    Extension(received): Extension<ReceivedAt>,
    Path((supplier, order_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Response> {
    let admitted = call::admit(&app, &supplier, &headers).map_err(Problem::into_response)?;
    let body = json_body::optional(&headers, body)
        .await
        .map_err(Problem::into_response)?;
    draft_order::read_confirmation(&body.value)
        .map_err(|faults| Problem::invalid(faults).into_response())?;
    let idempotency_key = idempotency_key::read(&headers).map_err(Problem::into_response)?;
    let order_id: Arc<str> = order_id.into();
    let find = Find::Id(Arc::clone(&order_id));
    let key = aggregate_key(&app, &admitted.supplier, find)
        .await
        .map_err(Problem::into_response)?;
    let target = Target {
        supplier: &supplier,
        operation: Operation::Confirm,
        key: key.as_deref(),
    };
    let ledger = app.ledger.clone();
    let work = move |slow_body| async move {
        let change = Change {
            vendor: admitted.supplier,
            fingerprint: fingerprint("confirm", &order_id, &body.bytes),
            ask: Ask::Confirm { order_id },
            idempotency_key,
            received_at: received.0,
            slow_body,
        };
        answered(ledger.change(change).await)
    };
    Ok(call::carry_out(&app, target, work).await)
}
