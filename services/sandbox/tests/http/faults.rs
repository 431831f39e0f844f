//! Scripted faults as callers meet them.

use std::time::Duration;

use argosy_sandbox::Effect;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::Instant};

use crate::client::{Ask, Running, settings};

#[tokio::test]
async fn a_cut_before_accepting_leaves_nothing() {
    let sandbox = Running::start().await;
    sandbox
        .faults(json!([{"effect": {"cut": "before"}, "times": 1}]))
        .await;
    sandbox.expect_cut(Ask::draft("natural", "r-1")).await;
    assert!(sandbox.receipts().is_empty());
    assert_eq!(sandbox.ask(Ask::draft("natural", "r-1")).await.status, 201);
}

#[tokio::test]
async fn a_cut_after_accepting_leaves_the_order_and_its_receipt() {
    let sandbox = Running::start().await;
    sandbox
        .faults(json!([{"match": {"operation": "draft"}, "effect": {"cut": "after"}, "times": 2}]))
        .await;
    sandbox.expect_cut(Ask::draft("natural", "r-1")).await;
    sandbox
        .expect_cut(Ask::draft("remembered", "r-1").key("k-1"))
        .await;
    assert_eq!(sandbox.receipts().len(), 2);
    assert_eq!(
        sandbox.ask(Ask::draft("natural", "r-1")).await.code(),
        "duplicate_order"
    );
    assert_eq!(
        sandbox
            .ask(Ask::draft("remembered", "r-1").key("k-1"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_cut_ends_a_kept_connection_too() {
    let sandbox = Running::start().await;
    sandbox
        .faults(json!([{"match": {"operation": "confirm"}, "effect": {"cut": "after"}}]))
        .await;
    let kept = |ask: Ask| {
        let bytes = String::from_utf8(ask.bytes()).unwrap();
        bytes.replace("Connection: close\r\n", "")
    };
    let draft = kept(Ask::draft("natural", "r-1"));
    let confirm = kept(Ask::confirm("natural", "natural-1"));
    let came = sandbox
        .raw(format!("{draft}{confirm}").as_bytes())
        .await
        .unwrap();
    assert_eq!(came.status, 201);
    assert_eq!(came.order_id(), "natural-1", "one answer, then nothing");
    assert_eq!(sandbox.receipts().len(), 2);
}

#[tokio::test]
async fn scripted_refusals_accept_nothing_and_carry_their_headers() {
    let sandbox = Running::start().await;
    sandbox
        .faults(json!([
            {"match": {"key": "10*"}, "effect": {"status": 429, "retry_after_s": 3}, "times": 1},
            {"match": {"key": "10*"}, "effect": {"status": 503, "retry_after_s": 2, "code": "maintenance"}, "times": 1},
            {"match": {"key": "1001"}, "effect": {"status": 422, "code": "out_of_stock"}, "times": 1},
            {"match": {"key": "2*"}, "effect": {"status": 500}},
        ]))
        .await;
    let throttled = sandbox.ask(Ask::draft("natural", "r-1")).await;
    assert_eq!(throttled.status, 429);
    assert_eq!(throttled.headers["retry-after"], "3");
    assert_eq!(throttled.headers["ratelimit-remaining"], "0");
    assert_eq!(throttled.headers["ratelimit-reset"], "3");
    let down = sandbox.ask(Ask::draft("natural", "r-1")).await;
    assert_eq!((down.status, down.code()), (503, "maintenance".into()));
    assert_eq!(down.headers["retry-after"], "2");
    assert!(!down.headers.contains_key("ratelimit-reset"));
    let refused = sandbox.ask(Ask::draft("natural", "r-1")).await;
    assert_eq!(
        (refused.status, refused.code()),
        (422, "out_of_stock".into())
    );
    assert!(sandbox.receipts().is_empty());
    assert_eq!(sandbox.ask(Ask::draft("natural", "r-1")).await.status, 201);
}

#[tokio::test]
async fn rules_by_key_meet_confirmations_and_lookups_too() {
    let sandbox = Running::start().await;
    let id = sandbox.ask(Ask::draft("natural", "r-1")).await.order_id();
    sandbox
        .faults(json!([{"match": {"key": "1001"}, "effect": {"status": 500}}]))
        .await;
    assert_eq!(sandbox.ask(Ask::confirm("natural", &id)).await.status, 500);
    let show = Ask::get(format!("/suppliers/natural/v1/orders/{id}"));
    assert_eq!(sandbox.ask(show).await.status, 500);
    let find = Ask::get("/suppliers/natural/v1/orders?external_order_id=r-1");
    assert_eq!(sandbox.ask(find).await.status, 500);
    let other = Ask::get("/suppliers/natural/v1/orders?external_order_id=r-2");
    assert_eq!(sandbox.ask(other).await.status, 200);
}

#[tokio::test]
async fn the_script_changes_while_it_runs() {
    let sandbox = Running::start().await;
    let ask = || sandbox.ask(Ask::draft("never", "r-1"));
    assert_eq!(ask().await.status, 201);
    sandbox
        .faults(json!([{"match": {"supplier": "never"}, "effect": {"status": 502}}]))
        .await;
    assert_eq!(ask().await.status, 502);
    let shown = sandbox.ask(Ask::get("/__control/faults")).await.json();
    assert_eq!(shown[0]["struck"], 1);
    let wrong = Ask::post("/__control/faults", &json!([{"effect": {"status": 1}}])).method("PUT");
    let refused = sandbox.ask(wrong).await;
    assert_eq!(
        (refused.status, refused.code()),
        (422, "invalid_request".into())
    );
    assert_eq!(refused.json()["errors"][0]["pointer"], "/0");
    assert_eq!(ask().await.status, 502, "a wrong script changes nothing");
    let cleared = sandbox
        .ask(Ask::get("/__control/faults").method("DELETE"))
        .await;
    assert_eq!(cleared.status, 204);
    assert_eq!(ask().await.status, 201);
}

#[tokio::test]
async fn latency_comes_before_the_call_is_applied() {
    let sandbox = Running::start().await;
    sandbox
        .faults(json!([{"effect": {"latency_ms": [100, 120]}}]))
        .await;
    sandbox.ask(Ask::draft("natural", "r-1")).await;
    let receipt = &sandbox.receipts()[0];
    assert!(
        receipt.applied_at - receipt.received_at >= 100_000_000,
        "{receipt:?}"
    );
    assert_eq!(receipt.answered_at, receipt.applied_at);
}

#[tokio::test]
async fn a_slow_body_is_whole_and_its_receipt_says_when_it_ends() {
    let sandbox = Running::start().await;
    sandbox
        .faults(json!([{"effect": {"slow_body_ms": 200}}]))
        .await;
    let before = Instant::now();
    let answer = sandbox.ask(Ask::draft("natural", "r-1")).await;
    assert!(before.elapsed() >= Duration::from_millis(200));
    assert_eq!(
        (answer.status, answer.order_id()),
        (201, "natural-1".into())
    );
    let receipt = &sandbox.receipts()[0];
    assert_eq!(receipt.answered_at - receipt.applied_at, 200_000_000);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_its_call() {
    let sandbox = Running::start().await;
    sandbox
        .faults(json!([{"match": {"operation": "draft"}, "effect": {"latency_ms": 100}}]))
        .await;
    let mut stream = TcpStream::connect(sandbox.address).await.unwrap();
    stream
        .write_all(&Ask::draft("natural", "r-1").bytes())
        .await
        .unwrap();
    // The rule struck: the call is under way.
    until(async || sandbox.ask(Ask::get("/__control/faults")).await.json()[0]["struck"] == 1).await;
    drop(stream);
    until(async || sandbox.receipts().len() == 1).await;
    assert_eq!(sandbox.receipts()[0].effect, Effect::Applied);
}

#[tokio::test]
async fn a_script_can_be_loaded_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faults.json");
    std::fs::write(&path, r#"[{"effect": {"status": 503}}]"#).unwrap();
    let mut settings = settings(folder.path());
    settings.faults = Some(path);
    let sandbox = Running::start_with(folder, settings).await;
    assert_eq!(sandbox.ask(Ask::draft("natural", "r-1")).await.status, 503);
}

/// Asks until it holds.
async fn until(holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds().await {
        assert!(Instant::now() < deadline, "it did not come true in time");
        tokio::task::yield_now().await;
    }
}
