//! What became of an event: `GET /v1/events/{id}` and `GET /v1/timelines/{correlation_id}`.

use argosy_store::{Store, TimelineRow};
use serde_json::json;
use uuid::Uuid;

use crate::edge::Edge;

fn row(number: i64, worker: &str, state: &str) -> TimelineRow {
    TimelineRow {
        instance: Uuid::from_u128(7),
        number,
        correlation: "flow".into(),
        source: "shopify://one.example".into(),
        event: "a b".into(),
        event_type: "argosy.orders.v1.OrderApproved".into(),
        worker: worker.into(),
        at_ms: 1_772_366_400_000 + number,
        steps: json!([{ "atMs": "1772366400000", "accepted": {} }]),
        state: state.into(),
    }
}

const ADDRESS: &str = "/v1/events/a%20b?source=shopify%3A%2F%2Fone.example";

#[tokio::test]
async fn an_unknown_event_or_flow_is_not_found() {
    let edge = Edge::new();
    edge.get("/v1/events/a")
        .await
        .assert_problem(404, "not-found");
    edge.get("/v1/timelines/flow")
        .await
        .assert_problem(404, "not-found");
}

#[tokio::test]
async fn an_event_answers_per_expected_worker() {
    let edge = Edge::new();
    edge.store
        .project(vec![row(1, "gateway", "accepted")])
        .await
        .unwrap();
    let answer = edge.get(ADDRESS).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["type"], "argosy.orders.v1.OrderApproved");
    assert_eq!(
        answer.body["state"], "accepted",
        "its worker has not settled it"
    );
    assert_eq!(answer.body["workers"][1]["worker"], "orders");

    edge.store
        .project(vec![row(2, "orders", "running"), row(3, "orders", "done")])
        .await
        .unwrap();
    let answer = edge.get(ADDRESS).await;
    assert_eq!(answer.body["state"], "done", "{answer:?}");
    assert_eq!(answer.body["correlation_id"], "flow");
    let other = edge.get("/v1/events/a%20b").await;
    other.assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_timeline_is_told_oldest_first_and_says_when_it_is_cut() {
    let edge = Edge::new();
    let rows = vec![
        row(2, "orders", "running"),
        row(1, "gateway", "accepted"),
        row(3, "orders", "done"),
    ];
    edge.store.project(rows).await.unwrap();
    let answer = edge.get("/v1/timelines/flow").await;
    assert_eq!(answer.body["truncated"], false, "{answer:?}");
    let entries = answer.body["entries"].as_array().unwrap();
    let states: Vec<_> = entries
        .iter()
        .map(|entry| entry["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["accepted", "running", "done"]);
    assert_eq!(entries[0]["at"], "2026-03-01T12:00:00.001Z");
    assert_eq!(entries[0]["steps"][0]["accepted"], json!({}));

    let cut = edge.get("/v1/timelines/flow?rows_max=2").await;
    assert_eq!(cut.body["entries"].as_array().unwrap().len(), 2);
    assert_eq!(cut.body["truncated"], true);
}

#[tokio::test]
async fn a_flow_longer_than_a_page_is_read_to_its_end_by_what_each_page_says_is_next() {
    let edge = Edge::new();
    let mut rows: Vec<_> = (1..=8)
        .map(|number| row(number, "orders", "running"))
        .collect();
    rows[7].state = "done".into();
    edge.store.project(rows).await.unwrap();
    let (mut read, mut after) = (Vec::new(), String::new());
    for _ in 0..5 {
        let page = edge
            .get(&format!("/v1/timelines/flow?rows_max=2{after}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        for entry in page.body["entries"].as_array().unwrap() {
            read.push((entry["number"].as_i64().unwrap(), entry["state"].clone()));
        }
        match page.body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => after = "end".to_owned(),
        }
    }
    assert_eq!(after, "end");
    assert_eq!(read.len(), 8);
    assert_eq!(read[7], (8, json!("done")));
}
