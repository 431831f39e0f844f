//! Errors as answers: problem documents (RFC 9457). A problem names what the caller can change, and nothing else.

use std::time::Duration;

use argosy_events::{EnvelopeError, PayloadError};
use argosy_store::StoreError;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::telemetry;

/// When to come back after an intake that is unknown, or while a part is away.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// When to come back after an overload.
const OVERLOAD_RETRY_AFTER: Duration = Duration::from_secs(1);

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    path: Option<String>,
    retry_after: Option<Duration>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
            path: None,
            retry_after: None,
        }
    }

    /// 400, with the field.
    pub(crate) fn invalid(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
        }
    }

    /// 401 with a challenge.
    pub(crate) fn unauthorized(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// 401 for a body that nobody known has signed; there is no credential to ask for.
    pub(crate) fn unsigned(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unsigned", detail)
    }

    /// 403.
    pub(crate) fn closed(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "closed", detail)
    }

    /// 404.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "this address takes other methods",
        )
    }

    /// 408 for a body that did not arrive: whatever was meant was not done.
    pub(crate) fn body_late() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-late",
            "the body did not arrive in time and nothing was done: send it again",
        )
    }

    /// 404 for a dead letter.
    pub(crate) fn no_such_letter() -> Self {
        Self::not_found("there is no such dead letter; a new one shows within a second")
    }

    /// 409 of a kind that programs can tell from others.
    pub(crate) fn refused(kind: &'static str, detail: &'static str) -> Self {
        Self::new(StatusCode::CONFLICT, kind, detail)
    }

    /// 409.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 413.
    pub(crate) fn too_large(bytes_max: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!("the body is longer than {bytes_max} bytes"),
        )
    }

    /// 415.
    pub(crate) fn media_type(detail: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail)
    }

    /// 429.
    pub(crate) fn overloaded() -> Self {
        let detail = "more requests are under way than this gateway takes: come back later";
        Self {
            retry_after: Some(OVERLOAD_RETRY_AFTER),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "overloaded", detail)
        }
    }

    /// 500 for a bug of ours.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this is a fault of the gateway",
        )
    }

    /// 500 for an intake that the broker will never take.
    pub(crate) fn rejected() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "rejected",
            "the event cannot be taken in as it is: sending it again does not help before the gateway is mended",
        )
    }

    /// 503 for an intake that may or may not have happened.
    pub(crate) fn unknown() -> Self {
        Self::unavailable(
            "unknown",
            "whether the event was taken in is unknown: send it again with the same id",
        )
    }

    /// 503 for an answer that did not come in time.
    pub(crate) fn late() -> Self {
        Self::unavailable("late", "there was no answer in time: ask again")
    }

    fn unavailable(kind: &'static str, detail: &'static str) -> Self {
        Self {
            retry_after: Some(RETRY_AFTER),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, detail)
        }
    }

    /// The store did not answer as asked.
    pub(crate) fn store(error: &StoreError) -> Self {
        if let StoreError::TooLarge {
            what, bytes_max, ..
        } = error
        {
            return Self::invalid(*what, format!("is longer than {bytes_max} bytes"));
        }
        telemetry::StoreFailed { error }.emit();
        Self::unavailable("store-away", "what happened is not at hand now: ask again")
    }
}

impl From<EnvelopeError> for Problem {
    fn from(error: EnvelopeError) -> Self {
        Self::invalid(error.attribute().trim_start_matches("ce_"), error.message())
    }
}

impl From<PayloadError> for Problem {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Undecodable { path, message }
            | PayloadError::Invalid { path, message } => Self::invalid(path, message),
            PayloadError::UnknownType { known } => {
                Self::invalid("type", format!("is not known: use one of {known}"))
            }
            PayloadError::TooLarge { .. } => {
                let detail = error.to_string();
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self {
            status,
            kind,
            detail,
            path,
            retry_after,
        } = self;
        let mut document = json!({
            "type": format!("urn:argosy:problem:{kind}"),
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "detail": detail,
        });
        if let Some(path) = path {
            document["path"] = path.into();
        }
        let content_type = (header::CONTENT_TYPE, "application/problem+json");
        let mut response = (status, [content_type], document.to_string()).into_response();
        if let Some(wait) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        if kind == "unauthorized" {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
