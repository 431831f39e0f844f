//! Reads the `Idempotency-Key` header: at most one, bare or quoted, visible ASCII, bounded.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};

use crate::problem::Problem;

const NAME: &str = "idempotency-key";
const KEY_BYTES_MAX: usize = 255;

/// The key, if one was sent.
pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Arc<str>>, Problem> {
    let mut sent = headers.get_all(NAME).iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let quoted = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    let plain = key.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    if sent.next().is_some() || key.is_empty() || key.len() > KEY_BYTES_MAX || !plain {
        let detail =
            format!("send one Idempotency-Key of 1 to {KEY_BYTES_MAX} visible ASCII characters");
        let status = StatusCode::BAD_REQUEST;
        return Err(Problem::new(status, "invalid_idempotency_key", detail));
    }
    Ok(Some(Arc::from(key)))
}
