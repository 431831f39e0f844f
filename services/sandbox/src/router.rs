//! Which path leads where.

use std::sync::Arc;

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post, put},
};

use crate::{
    app::App,
    control::{faults, health, receipts},
    endpoints::{confirm_order, draft_order, find_orders, show_order},
    problem::Problem,
};

pub(crate) fn router(app: Arc<App>) -> Router {
    let orders = post(draft_order::endpoint).get(find_orders::endpoint);
    let script = put(faults::replace).get(faults::show).delete(faults::clear);
    Router::new()
        .route("/suppliers/{supplier}/v1/orders", orders)
        .route(
            "/suppliers/{supplier}/v1/orders/{order_id}",
            get(show_order::endpoint),
        )
        .route(
            "/suppliers/{supplier}/v1/orders/{order_id}/confirm",
            post(confirm_order::endpoint),
        )
        .route("/__control/faults", script)
        .route("/__control/receipts", get(receipts::endpoint))
        .route("/__control/health", get(health::endpoint))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_way)
        .with_state(app)
}

async fn nothing_here() -> Problem {
    let detail = "the contract has no such path";
    Problem::new(StatusCode::NOT_FOUND, "unknown_path", detail)
}

async fn not_this_way() -> Problem {
    let detail = "the contract has no such method here";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
