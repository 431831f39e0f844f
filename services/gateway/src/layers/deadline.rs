//! Answers within the deadline, come what may: the only timeout around a request.

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{Api, problem::Problem, request::Arrived, routes::INTAKES};

/// A caller that waits in vain cannot know what became of its event: the answer says so before the caller gives up. Of
/// a request whose body never came it is known that nothing was done.
pub(crate) async fn deadline(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let is_post = request.method() == Method::POST;
    let route = request.extensions().get::<MatchedPath>();
    let takes_in = is_post && route.is_some_and(|route| INTAKES.contains(&route.as_str()));
    let arrived = Arrived::default();
    request.extensions_mut().insert(arrived.clone());
    match tokio::time::timeout(api.deadline(), next.run(request)).await {
        Ok(response) => response,
        Err(_) if is_post && !arrived.is_told() => Problem::body_late().into_response(),
        Err(_) if takes_in => Problem::unknown().into_response(),
        Err(_) => Problem::late().into_response(),
    }
}
