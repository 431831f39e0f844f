//! Checks `Authorization: Bearer` against the supplier's token.

use axum::http::{HeaderMap, StatusCode, header};

use crate::problem::Problem;

/// Refuses a call without the supplier's token.
pub(crate) fn check(headers: &HeaderMap, token: &str) -> Result<(), Problem> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let value = sent.next().and_then(|value| value.to_str().ok());
    let bearer = value.and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(rest)
    });
    if bearer == Some(token) && sent.next().is_none() {
        return Ok(());
    }
    let detail = "the bearer token is missing or wrong";
    let status = StatusCode::UNAUTHORIZED;
    Err(Problem::new(status, "unauthorized", detail))
}
