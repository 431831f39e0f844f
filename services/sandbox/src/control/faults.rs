//! `/__control/faults`: `PUT` replaces the script, `GET` shows it with how often each rule struck, `DELETE` clears it.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use crate::{
    app::App,
    json_body,
    problem::{FieldError, Problem},
};

pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = match json_body::required(&headers, body).await {
        Ok(body) => body,
        Err(problem) => return problem.into_response(),
    };
    match app.script.replace(body.value) {
        Ok(()) => Json(app.script.show()).into_response(),
        Err(wrong) => {
            let fault = FieldError {
                pointer: wrong.pointer,
                code: "invalid_rule",
                detail: wrong.detail,
            };
            Problem::invalid(vec![fault]).into_response()
        }
    }
}

pub(crate) async fn show(State(app): State<Arc<App>>) -> Json<Value> {
    Json(app.script.show())
}

pub(crate) async fn clear(State(app): State<Arc<App>>) -> StatusCode {
    app.script.clear();
    StatusCode::NO_CONTENT
}
