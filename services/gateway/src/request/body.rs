//! A whole body, at most as long as configured.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;

use crate::{Api, problem::Problem};

/// A body as it came: signatures are over these bytes.
pub(crate) struct Body(pub(crate) Bytes);

/// Whether a request's body came whole, told to the layers around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrived(Arc<AtomicBool>);

impl Arrived {
    fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl FromRequest<Api> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes_max = api.body_bytes_max();
        check_encoding(request.headers())?;
        if declared(request.headers()).is_some_and(|bytes| bytes > bytes_max as u64) {
            return Err(Problem::too_large(bytes_max));
        }
        let arrived = request.extensions().get::<Arrived>().cloned();
        // The router's limit stands on the body itself.
        let read = Bytes::from_request(request, api)
            .await
            .map_err(|rejection| match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(bytes_max),
                _ => Problem::invalid("data", "the body ended before it was complete"),
            });
        if let Some(arrived) = arrived {
            arrived.tell();
        }
        read.map(Self)
    }
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Compressed bodies are not unpacked: what is counted is what arrives.
fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let plain =
        |value: &axum::http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if !plain(encoding) => Err(Problem::media_type(
            "send the body without content encoding",
        )),
        _ => Ok(()),
    }
}
