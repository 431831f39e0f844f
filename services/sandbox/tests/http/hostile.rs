//! Missing, truncated, oversized, wrong-typed, hostile and duplicate input: a clear refusal each, and nothing accepted.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::client::{Ask, Running, TOKEN};

const BODY_BYTES_MAX: usize = 256 * 1024;

async fn assert_refused(sandbox: &Running, ask: Ask, status: u16, code: &str) {
    let shown = String::from_utf8_lossy(&ask.bytes())
        .chars()
        .take(300)
        .collect::<String>();
    let answer = sandbox.ask(ask).await;
    assert_eq!((answer.status, &*answer.code()), (status, code), "{shown}");
    let text = String::from_utf8_lossy(&answer.body);
    assert!(!text.contains(TOKEN) && !text.contains(".rs"), "{text}");
    assert!(sandbox.receipts().is_empty());
}

#[tokio::test]
async fn callers_without_the_token_are_refused() {
    let sandbox = Running::start().await;
    let draft = || Ask::draft("natural", "r-1").without("Authorization");
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic dTpw",
        TOKEN,
        &format!("Bearer {TOKEN} x"),
    ] {
        let ask = draft().header("Authorization", authorization);
        assert_refused(&sandbox, ask, 401, "unauthorized").await;
    }
    assert_refused(&sandbox, draft(), 401, "unauthorized").await;
    let twice = Ask::draft("natural", "r-1").header("Authorization", "Bearer wrong");
    assert_refused(&sandbox, twice, 401, "unauthorized").await;
    let answer = sandbox.ask(draft()).await;
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}

#[tokio::test]
async fn unknown_suppliers_paths_methods_and_orders_are_refused() {
    let sandbox = Running::start().await;
    assert_refused(
        &sandbox,
        Ask::draft("nobody", "r-1"),
        404,
        "unknown_supplier",
    )
    .await;
    assert_refused(&sandbox, Ask::get("/"), 404, "unknown_path").await;
    assert_refused(
        &sandbox,
        Ask::get("/suppliers/natural/v2/orders"),
        404,
        "unknown_path",
    )
    .await;
    let delete = Ask::get("/suppliers/natural/v1/orders/natural-1").method("DELETE");
    assert_refused(&sandbox, delete, 405, "method_not_allowed").await;
    assert_refused(
        &sandbox,
        Ask::confirm("natural", "natural-1"),
        404,
        "order_not_found",
    )
    .await;
    assert_refused(
        &sandbox,
        Ask::confirm("natural", "..%2F..%2Fetc"),
        404,
        "order_not_found",
    )
    .await;
    assert_refused(
        &sandbox,
        Ask::get("/suppliers/natural/v1/orders/x"),
        404,
        "order_not_found",
    )
    .await;
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let sandbox = Running::start().await;
    let draft = || Ask::draft("natural", "r-1");
    let deep = "[".repeat(100_000);
    for body in [
        "",
        "{",
        "nonsense",
        "{\"external_order_id\": \"r-1\"",
        "\u{0}",
        &deep,
    ] {
        assert_refused(&sandbox, draft().body(body), 400, "invalid_json").await;
    }
    assert_refused(
        &sandbox,
        draft().body(vec![0xff, 0xfe]),
        400,
        "invalid_json",
    )
    .await;
    assert_refused(
        &sandbox,
        draft().without("Content-Type"),
        415,
        "unsupported_media_type",
    )
    .await;
    let text = draft()
        .without("Content-Type")
        .header("Content-Type", "text/plain");
    assert_refused(&sandbox, text, 415, "unsupported_media_type").await;
    let confirm = Ask::confirm("natural", "natural-1").body("{");
    assert_refused(&sandbox, confirm, 400, "invalid_json").await;
}

#[tokio::test]
async fn bodies_that_are_no_draft_are_refused_with_pointers() {
    let sandbox = Running::start().await;
    let body = json!({"external_order_id": 7, "items": [{"quantity": 0}], "surprise": true});
    let answer = sandbox
        .ask(Ask::post("/suppliers/natural/v1/orders", &body))
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (422, "invalid_request".into())
    );
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    let pointers: Vec<&str> = errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    let expected = [
        "/surprise",
        "/external_order_id",
        "/items/0/line_ref",
        "/items/0/supplier_sku",
        "/items/0/quantity",
    ];
    assert_eq!(pointers, expected);
    assert!(sandbox.receipts().is_empty());
}

#[tokio::test]
async fn of_a_field_given_twice_the_last_counts() {
    let sandbox = Running::start().await;
    let body = r#"{"external_order_id":"a","external_order_id":"b","items":[{"line_ref":"1","supplier_sku":"s","quantity":1}]}"#;
    let answer = sandbox.ask(Ask::draft("natural", "").body(body)).await;
    assert_eq!(answer.json()["external_order_id"], "b");
}

#[tokio::test]
async fn bodies_above_the_limit_are_refused_announced_or_not() {
    let sandbox = Running::start().await;
    let fitting = " ".repeat(BODY_BYTES_MAX);
    assert_refused(
        &sandbox,
        Ask::draft("natural", "r").body(fitting),
        400,
        "invalid_json",
    )
    .await;
    let above = " ".repeat(BODY_BYTES_MAX + 1);
    assert_refused(
        &sandbox,
        Ask::draft("natural", "r").body(above),
        413,
        "body_too_large",
    )
    .await;

    let head = format!(
        "POST /suppliers/natural/v1/orders HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let answer = sandbox
        .raw((head + &chunk.repeat(5)).as_bytes())
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.code()),
        (413, "body_too_large".into())
    );
}

#[tokio::test]
async fn wrong_idempotency_keys_are_refused() {
    let sandbox = Running::start().await;
    for key in ["", "\"\"", "a b", "\"open", "ü", &"k".repeat(256)] {
        let ask = Ask::draft("remembered", "r-1").key(key);
        assert_refused(&sandbox, ask, 400, "invalid_idempotency_key").await;
    }
    let twice = Ask::draft("remembered", "r-1").key("a").key("b");
    assert_refused(&sandbox, twice, 400, "invalid_idempotency_key").await;
}

#[tokio::test]
async fn wrong_queries_are_refused() {
    let sandbox = Running::start().await;
    for query in [
        "",
        "?",
        "?external_order_id=",
        "?external_order_id=a&external_order_id=b",
        "?external_order_id=a&x=1",
        "?id=a",
    ] {
        let ask = Ask::get(format!("/suppliers/natural/v1/orders{query}"));
        assert_refused(&sandbox, ask, 400, "invalid_query").await;
    }
}

#[tokio::test]
async fn what_is_no_http_ends_the_connection_and_nothing_else() {
    let sandbox = Running::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(sandbox.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut came = Vec::new();
        drop(stream.read_to_end(&mut came).await);
        assert!(
            came.is_empty() || came.starts_with(b"HTTP/1.1 4"),
            "{came:?}"
        );
    }
    let header = Ask::get("/__control/health").header("X-Long", "x".repeat(500_000));
    let answer = sandbox.raw(&header.bytes()).await;
    assert!(
        answer.as_ref().is_none_or(|answer| answer.status == 431),
        "{answer:?}"
    );
    assert_eq!(sandbox.ask(Ask::get("/__control/health")).await.status, 200);
}

#[tokio::test]
async fn a_body_that_ends_early_is_not_accepted() {
    let sandbox = Running::start().await;
    let whole = Ask::draft("natural", "r-1").bytes();
    for cut in [1, 20, 100] {
        let mut stream = TcpStream::connect(sandbox.address).await.unwrap();
        stream.write_all(&whole[..whole.len() - cut]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut came = Vec::new();
        drop(stream.read_to_end(&mut came).await);
        assert!(!came.starts_with(b"HTTP/1.1 2"));
    }
    assert!(sandbox.receipts().is_empty());
}
