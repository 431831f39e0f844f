//! One metric and one log line per request.

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    middleware::Next,
    response::Response,
};
use tokio::time::Instant;

use super::RequestId;
use crate::telemetry::RequestEnded;

/// Measures from the first layer to the answer.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = bounded(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    RequestEnded {
        route: route.as_ref().map_or("unmatched", MatchedPath::as_str),
        method,
        status: response.status().as_u16(),
        request_id: response
            .extensions()
            .get::<RequestId>()
            .map_or("", |id| id.0.as_str()),
        duration: Instant::now() - began,
    }
    .emit();
    response
}

/// A caller may invent methods; a metric's labels are ours.
fn bounded(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
