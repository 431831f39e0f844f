//! A panic of one endpoint is one answer, not the end of a connection.

use std::any::Any;

use axum::response::{IntoResponse, Response};

use crate::{problem::Problem, telemetry};

/// The answer to a panic. What was panicked with may quote a request, so it is not shown.
pub(crate) fn panicked(_value: Box<dyn Any + Send + 'static>) -> Response {
    telemetry::EndpointPanicked.emit();
    Problem::internal().into_response()
}
