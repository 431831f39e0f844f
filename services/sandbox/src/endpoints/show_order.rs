//! `GET /v1/orders/{order_id}`: shows one order.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::json;
use crate::{Operation, app::App, call, faults::Target, ledger::Find, problem::Problem};

pub(crate) async fn endpoint(
    State(app): State<Arc<App>>,
    Path((supplier, order_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let admitted = call::admit(&app, &supplier, &headers).map_err(Problem::into_response)?;
    let find = Find::Id(order_id.into());
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
        match ledger.find(admitted.supplier, find).await {
            Ok(found) => match found.orders.first() {
                Some(order) => json(StatusCode::OK, order),
                None => Problem::order_not_found().into_response(),
            },
            Err(gone) => Problem::from(gone).into_response(),
        }
    };
    Ok(call::carry_out(&app, target, work).await)
}

/// The aggregate key of an order that a call names, looked up only if a fault rule asks for it.
pub(crate) async fn aggregate_key(
    app: &App,
    supplier: &Arc<str>,
    find: Find,
) -> Result<Option<Arc<str>>, Problem> {
    if !app.script.needs_key() {
        return Ok(None);
    }
    let found = app.ledger.find(Arc::clone(supplier), find).await?;
    Ok(found.aggregate_key)
}
