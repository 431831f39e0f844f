//! Bearer tokens, compared in constant time.

use argosy_shell::config::Secret;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{problem::Problem, telemetry};

/// Does the request carry this token?
pub(crate) fn check_bearer(
    headers: &HeaderMap,
    token: &Secret,
    at: &'static str,
) -> Result<(), Problem> {
    // Digests have one length, so that the comparison tells nothing about the token's.
    let wanted = Sha256::digest(token.expose());
    let given = Sha256::digest(given(headers).unwrap_or_default());
    if bool::from(wanted.as_slice().ct_eq(given.as_slice())) {
        return Ok(());
    }
    telemetry::Unauthorized { at }.emit();
    Err(Problem::unauthorized(
        "the bearer token is wrong or missing",
    ))
}

fn given(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}
