//! `GET /__control/health`: which suppliers it stands in for.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::app::App;

pub(crate) async fn endpoint(State(app): State<Arc<App>>) -> Json<Value> {
    let suppliers = app.suppliers.iter();
    let suppliers: Vec<Value> = suppliers
        .map(|(name, settings)| json!({"name": &**name, "repeat": settings.repeat}))
        .collect();
    Json(json!({
        "status": "ok",
        "suppliers": suppliers,
        "receipts_bytes": app.ledger.synced_bytes(),
    }))
}
