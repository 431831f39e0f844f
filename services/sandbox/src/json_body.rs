//! Reads a request's body: bounded, JSON, and said to be JSON.

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use serde_json::Value;

use crate::problem::Problem;

/// The longest body that is read.
pub(crate) const BODY_BYTES_MAX: usize = 256 * 1024;

/// A body as it came and as it reads. Of a field given twice the last counts, as with most JSON readers.
#[derive(Debug)]
pub(crate) struct JsonBody {
    pub(crate) bytes: Bytes,
    pub(crate) value: Value,
}

/// Reads a body that must be there.
pub(crate) async fn required(headers: &HeaderMap, body: Body) -> Result<JsonBody, Problem> {
    let bytes = bounded(headers, body).await?;
    parse(headers, bytes)
}

/// Reads a body that may be left out.
pub(crate) async fn optional(headers: &HeaderMap, body: Body) -> Result<JsonBody, Problem> {
    let bytes = bounded(headers, body).await?;
    if bytes.is_empty() {
        let value = Value::Object(serde_json::Map::new());
        return Ok(JsonBody { bytes, value });
    }
    parse(headers, bytes)
}

async fn bounded(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BODY_BYTES_MAX as u64) {
        return Err(too_large());
    }
    axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|error| {
            let inner = std::error::Error::source(&error).map(ToString::to_string);
            if inner.is_some_and(|said| said.contains("length limit exceeded")) {
                return too_large();
            }
            let detail = "the body ended before it was complete";
            Problem::new(StatusCode::BAD_REQUEST, "incomplete_body", detail)
        })
}

fn parse(headers: &HeaderMap, bytes: Bytes) -> Result<JsonBody, Problem> {
    let said = headers
        .get(header::CONTENT_TYPE)
        .and_then(|said| said.to_str().ok());
    let essence = said.map(|said| said.split(';').next().unwrap_or_default().trim());
    if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
        let detail = "send content-type: application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "unsupported_media_type", detail));
    }
    match serde_json::from_slice(&bytes) {
        Ok(value) => Ok(JsonBody { bytes, value }),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let detail = format!("the body is not JSON at line {line}, column {column}");
            Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_json",
                detail,
            ))
        }
    }
}

fn too_large() -> Problem {
    let detail = format!("a body has at most {BODY_BYTES_MAX} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}
