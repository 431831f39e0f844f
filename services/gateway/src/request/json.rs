//! A JSON body as one typed value; errors name the field.

use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// Reads a whole body.
pub(crate) fn json<T: DeserializeOwned>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Problem::media_type("send application/json"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| refused(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| refused("", &error))?;
    Ok(value)
}

/// A field whose name was not read to its end is told as `?`.
fn refused(path: &str, error: &serde_json::Error) -> Problem {
    let known = path.trim_end_matches('?').trim_end_matches('.');
    Problem::invalid(
        if known.is_empty() { "body" } else { known },
        error.to_string(),
    )
}
