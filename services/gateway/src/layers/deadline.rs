//! Answers within the deadline, come what may: the only timeout around a request.

use axum::{
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{Api, problem::Problem};

/// A caller that waits in vain cannot know what became of its event: the answer says so before the caller gives up.
pub(crate) async fn deadline(State(api): State<Api>, request: Request, next: Next) -> Response {
    let changes = request.method() == Method::POST;
    match tokio::time::timeout(api.deadline(), next.run(request)).await {
        Ok(response) => response,
        Err(_) if changes => Problem::unknown().into_response(),
        Err(_) => Problem::late().into_response(),
    }
}
