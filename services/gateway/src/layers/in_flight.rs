//! Bounds the requests under way. Beyond the bound the answer is immediate, so that memory and waits stay bounded too.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{Api, problem::Problem, telemetry};

/// Lets a request in, or answers 429.
pub(crate) async fn in_flight(State(api): State<Api>, request: Request, next: Next) -> Response {
    let Ok(_permit) = api.in_flight().try_acquire_owned() else {
        telemetry::Overloaded { at: "gateway" }.emit();
        return Problem::overloaded().into_response();
    };
    next.run(request).await
}
