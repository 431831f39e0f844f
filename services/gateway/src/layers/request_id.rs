//! Every answer carries an `X-Request-Id`: the caller's own if it is fit to be logged, else a new one.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use uuid::Uuid;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id taken from a caller.
const ID_BYTES_MAX: usize = 128;

/// The id, for layers further out.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// Names the request.
pub(crate) async fn request_id(request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(&HEADER)
        .and_then(fit)
        .map(ToOwned::to_owned);
    let id = given.unwrap_or_else(|| Uuid::new_v4().to_string());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response.extensions_mut().insert(RequestId(id));
    response
}

fn fit(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let fits = (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(text)
}
