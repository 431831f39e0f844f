//! `GET /__control/receipts?after=<count>`: the receipts after the first so many, as `{next, receipts}`.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use crate::{app::App, problem::Problem, receipt_file};

/// Receipts of one answer.
const PAGE_LINES_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    #[serde(default)]
    after: u64,
}

pub(crate) async fn endpoint(
    State(app): State<Arc<App>>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Ok(Query(Asked { after })) = query else {
        let detail = "`after` is how many receipts to leave out";
        return Problem::new(StatusCode::BAD_REQUEST, "invalid_query", detail).into_response();
    };
    let synced_bytes = app.ledger.synced_bytes();
    let read = tokio::task::spawn_blocking(move || {
        receipt_file::page(&app.receipts, synced_bytes, after, PAGE_LINES_MAX)
    });
    let Ok(Ok(lines)) = read.await else {
        let detail = "the receipts file cannot be read";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return Problem::new(status, "receipts_failed", detail).into_response();
    };
    let next = after.saturating_add(lines.len() as u64);
    // The lines are JSON already.
    let body = format!("{{\"next\":{next},\"receipts\":[{}]}}", lines.join(","));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
