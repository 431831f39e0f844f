//! `GET /v1/orders?external_order_id=`: finds orders by our reference. A supplier without lookup answers 404.

use std::sync::Arc;

use axum::{
    extract::{Path, Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{json as answer, show_order::aggregate_key};
use crate::{Operation, app::App, call, faults::Target, ledger::Find, problem::Problem};

pub(crate) async fn endpoint(
    State(app): State<Arc<App>>,
    Path(supplier): Path<String>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let admitted = call::admit(&app, &supplier, &headers).map_err(Problem::into_response)?;
    let find = Find::Reference(reference(query).map_err(Problem::into_response)?);
    let key = aggregate_key(&app, &admitted.supplier, find.clone())
        .await
        .map_err(Problem::into_response)?;
    let target = Target {
        supplier: &supplier,
        operation: Operation::Lookup,
        key: key.as_deref(),
    };
    let ledger = app.ledger.clone();
    let work = move |_| async move {
        if !admitted.class.has_lookup() {
            let detail = "this supplier finds no orders by external_order_id";
            let status = StatusCode::NOT_FOUND;
            return Problem::new(status, "lookup_not_supported", detail).into_response();
        }
        match ledger.find(admitted.supplier, find).await {
            Ok(found) => {
                let page = json!({"items": found.orders, "next_cursor": null});
                answer(StatusCode::OK, &page)
            }
            Err(gone) => Problem::from(gone).into_response(),
        }
    };
    Ok(call::carry_out(&app, target, work).await)
}

/// Exactly one `external_order_id` and nothing else.
fn reference(
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Arc<str>, Problem> {
    let asked = query.map(|Query(asked)| asked).unwrap_or_default();
    match &asked[..] {
        [(name, value)] if name == "external_order_id" && !value.is_empty() => {
            Ok(value.as_str().into())
        }
        _ => {
            let detail = "ask with exactly one external_order_id";
            let status = StatusCode::BAD_REQUEST;
            Err(Problem::new(status, "invalid_query", detail))
        }
    }
}
