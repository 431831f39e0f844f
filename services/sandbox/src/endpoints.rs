//! The suppliers' endpoints: one per file.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    ledger::{Answer, LedgerGone},
    problem::Problem,
};

pub(crate) mod confirm_order;
pub(crate) mod draft_order;
pub(crate) mod find_orders;
pub(crate) mod show_order;

/// A ledger's answer to a change, as HTTP.
fn answered(answer: Result<Answer, LedgerGone>) -> Response {
    match answer {
        Ok(Answer::Drafted(view)) => json(StatusCode::CREATED, &view),
        Ok(Answer::Confirmed(view)) => json(StatusCode::OK, &view),
        Ok(Answer::Repeated(view)) => {
            let mut response = json(StatusCode::OK, &view);
            let replayed = axum::http::HeaderValue::from_static("true");
            response
                .headers_mut()
                .insert("idempotent-replayed", replayed);
            response
        }
        Ok(Answer::Duplicate { existing_order_id }) => {
            Problem::duplicate_order(&existing_order_id).into_response()
        }
        Ok(Answer::Mismatch) => {
            let detail = "this Idempotency-Key came with another request before";
            Problem::new(StatusCode::CONFLICT, "idempotency_mismatch", detail).into_response()
        }
        Ok(Answer::KeyRequired) => {
            let detail = "send an Idempotency-Key";
            let status = StatusCode::BAD_REQUEST;
            Problem::new(status, "idempotency_key_required", detail).into_response()
        }
        Ok(Answer::NotFound) => Problem::order_not_found().into_response(),
        Err(gone) => Problem::from(gone).into_response(),
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    (status, axum::Json(body)).into_response()
}

/// What "the same request" means to a supplier that remembers keys.
fn fingerprint(operation: &str, order_id: &str, body: &[u8]) -> std::sync::Arc<str> {
    let mut digest = Sha256::new();
    for part in [operation.as_bytes(), order_id.as_bytes(), body] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.into()
}
