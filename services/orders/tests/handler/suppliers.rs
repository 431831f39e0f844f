//! Suppliers that accept everything, remember what they were asked, and answer otherwise where a test says so.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Method and path.
    pub(crate) call: String,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) body: Value,
}

#[derive(Default)]
struct Books {
    seen: Vec<Seen>,
    answers: BTreeMap<String, (u16, Value)>,
}

pub(crate) struct Suppliers {
    pub(crate) address: SocketAddr,
    books: Arc<Mutex<Books>>,
}

impl Suppliers {
    pub(crate) async fn start() -> Self {
        let books = Arc::new(Mutex::new(Books::default()));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&books));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // It ends with the test's runtime.
        drop(TaskTracker::new().spawn(async move { axum::serve(listener, router).await }));
        Self { address, books }
    }

    /// What was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.books.lock().unwrap().seen.clone()
    }

    /// This call is answered so from now on.
    pub(crate) fn answer(&self, call: &str, status: u16, body: Value) {
        self.books
            .lock()
            .unwrap()
            .answers
            .insert(call.to_owned(), (status, body));
    }

    /// Accept everything again, and forget what was asked.
    pub(crate) fn forget(&self) {
        *self.books.lock().unwrap() = Books::default();
    }
}

async fn answer(
    State(books): State<Arc<Mutex<Books>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = format!("{method} {uri}");
    let key = headers
        .get("idempotency-key")
        .map(|key| key.to_str().unwrap().to_owned());
    let mut books = books.lock().unwrap();
    books.seen.push(Seen {
        call: call.clone(),
        idempotency_key: key,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    });
    if let Some((status, body)) = books.answers.get(&call) {
        let status = StatusCode::from_u16(*status).unwrap();
        // Longer than a run waits, so that it is asked once.
        let wait = [("retry-after", "30")];
        return (status, wait, Json(body)).into_response();
    }
    let path: Vec<&str> = uri.path().split('/').collect();
    match path[..] {
        ["", supplier, "v1", "orders"] => {
            let mut order = json!({"order_id": format!("{supplier}-1"), "status": "draft"});
            order["external_order_id"] =
                books.seen[books.seen.len() - 1].body["external_order_id"].clone();
            (StatusCode::CREATED, Json(order)).into_response()
        }
        ["", _, "v1", "orders", id, "confirm"] => {
            let order = json!({"order_id": id, "external_order_id": "ours", "status": "accepted"});
            Json(order).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
