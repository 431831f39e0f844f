//! The operator's addresses of dead letters: found, shown without what they say, replayed and released by ask.

use std::sync::Arc;

use argosy_kernel::LaneKey;
use argosy_shell::config::Gateway;
use argosy_store::{HeldLane, LetterId, LetterRow, OwnerKey, ParkChange, PlanStepKind, Store};
use axum::{body::Body, http::Request};
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::edge::{Answer, Edge, OPERATOR, settings};

const ONE: &str = "/v1/dead-letters/orders/argosy.order-events.v1/3/1";

async fn get(edge: &Edge, address: &str) -> Answer {
    let request = Request::get(address).header("authorization", format!("Bearer {OPERATOR}"));
    edge.ask(request.body(Body::empty()).expect("a request"))
        .await
}

async fn post(edge: &Edge, address: &str) -> Answer {
    let request = Request::post(address)
        .header("authorization", format!("Bearer {OPERATOR}"))
        .header("x-actor", "maria");
    edge.ask(request.body(Body::empty()).expect("a request"))
        .await
}

fn letter(offset: i64) -> LetterRow {
    LetterRow {
        id: LetterId {
            worker: "orders".into(),
            topic: "argosy.order-events.v1".into(),
            partition: 3,
            offset,
        },
        letter_partition: 0,
        letter_offset: offset,
        source: Some("shop".into()),
        event: Some(offset.to_string().into()),
        event_type: Some("argosy.orders.v1.OrderApproved".into()),
        correlation: Some("flow".into()),
        timestamp_ms: Some(0),
        key: Some(Bytes::from_static(b"1001")),
        value: Some(Bytes::from_static(b"\xffJane Doe")),
        headers: vec![("x-name".to_owned(), Bytes::from_static(b"Jane"))],
        is_reference: false,
        cause: "refused".into(),
        fingerprint: "1-abc".into(),
        message: "no such variant".into(),
        dependency: Some("acme".into()),
        status: Some(422),
        attempts: 2,
        first_failure_ms: 0,
        last_failure_ms: offset,
        epoch: 1,
        build: "1.2.3".into(),
    }
}

async fn with_letters(rows: Vec<LetterRow>) -> Edge {
    let edge = Edge::new();
    let projected = edge.store.project_letters(rows).await;
    projected.expect("the store takes them");
    edge
}

async fn hold(edge: &Edge, offset: i64) {
    let owner: OwnerKey = letter(offset).id.owner();
    let epochs = edge.store.take_owners(Uuid::nil(), vec![owner.clone()]);
    let epoch = epochs.await.expect("the store takes it")[0];
    let change = ParkChange {
        holds: vec![HeldLane {
            lane: LaneKey::Key(Arc::from(&b"1001"[..])),
            offset,
        }],
        ..ParkChange::new(owner, epoch)
    };
    let parked = edge.store.park(vec![change]).await;
    parked.expect("the store takes it");
}

fn ids(answer: &Answer) -> Vec<i64> {
    let letters = answer.body["dead_letters"].as_array().expect("a list");
    let offsets = letters.iter().map(|letter| letter["offset"].as_i64());
    offsets.map(Option::unwrap).collect()
}

#[tokio::test]
async fn they_need_the_operators_token() {
    let edge = with_letters(vec![letter(1)]).await;
    for address in ["/v1/dead-letters", ONE] {
        edge.get(address).await.assert_problem(401, "unauthorized");
    }
    for step in ["replay", "release"] {
        let unsigned = Request::post(format!("{ONE}/{step}")).body(Body::empty());
        edge.ask(unsigned.unwrap())
            .await
            .assert_problem(401, "unauthorized");
    }
    assert!(edge.store.audit(10).await.unwrap().is_empty());
    let closed = Edge::with(Gateway {
        operator_token: None,
        ..settings()
    });
    get(&closed, ONE).await.assert_problem(403, "closed");
}

#[tokio::test]
async fn a_list_is_newest_first_and_never_says_what_a_record_says() {
    let edge = with_letters(vec![letter(1), letter(2)]).await;
    let answer = get(&edge, "/v1/dead-letters").await;
    assert_eq!(ids(&answer), [2, 1]);
    assert!(!answer.body.to_string().contains("Jane"), "{answer:?}");
    let first = &answer.body["dead_letters"][1];
    assert_eq!(first["id"], "orders/argosy.order-events.v1/3/1");
    assert_eq!(first["cause"], "refused");
    assert_eq!(
        (&first["state"], &first["held"]),
        (&json!("dead"), &json!(false))
    );
    assert_eq!(
        first["key"],
        json!({ "text": "1001", "base64": "MTAwMQ==" })
    );
    assert_eq!(first["last_failure"], "1970-01-01T00:00:00.001Z");
}

#[tokio::test]
async fn a_list_is_read_page_by_page_to_its_end() {
    let edge = with_letters((0..5).map(letter).collect()).await;
    let mut all = Vec::new();
    let mut address = "/v1/dead-letters?rows_max=2".to_owned();
    loop {
        let answer = get(&edge, &address).await;
        all.extend(ids(&answer));
        let Some(next) = answer.body["next"].as_str() else {
            break;
        };
        address = format!("/v1/dead-letters?rows_max=2&after={next}");
    }
    assert_eq!(all, [4, 3, 2, 1, 0]);
}

#[tokio::test]
async fn every_filter_is_asked_of_the_store() {
    let other = LetterRow {
        id: LetterId {
            worker: "pricing".into(),
            topic: "prices".into(),
            ..letter(2).id
        },
        cause: "attempts".into(),
        fingerprint: "1-def".into(),
        correlation: None,
        key: None,
        ..letter(2)
    };
    let edge = with_letters(vec![letter(1), other]).await;
    hold(&edge, 1).await;
    let cases: [(&str, &[i64]); 12] = [
        ("worker=pricing", &[2]),
        ("topic=prices", &[2]),
        ("cause=refused", &[1]),
        ("fingerprint=1-def", &[2]),
        ("correlation=flow", &[1]),
        ("key=1001", &[1]),
        ("key=1002", &[]),
        ("state=dead", &[2, 1]),
        ("state=done", &[]),
        ("held=true", &[1]),
        ("held=false", &[2]),
        ("held=true&worker=pricing", &[]),
    ];
    for (filter, offsets) in cases {
        let answer = get(&edge, &format!("/v1/dead-letters?{filter}")).await;
        assert_eq!(ids(&answer), offsets, "{filter}");
    }
}

#[tokio::test]
async fn a_question_that_is_not_as_it_should_be_is_named_by_the_field() {
    let edge = Edge::new();
    for (question, path) in [
        ("worker=", "worker"),
        ("cause=a%00", "cause"),
        ("key=a&key=b", "key"),
        ("state=alive", "state"),
        ("held=yes", "held"),
        ("rows_max=0", "rows_max"),
        ("rows_max=1001", "rows_max"),
        ("rows_max=many", "rows_max"),
        ("after=", "after"),
        ("after=1", "after"),
        ("after=x.orders/t/1/2", "after"),
        ("after=1.orders/t/1/-2", "after"),
        ("Jane=1", "Jane"),
    ] {
        let answer = get(&edge, &format!("/v1/dead-letters?{question}")).await;
        answer.assert_invalid(path);
    }
    let long = "x".repeat(1_025);
    let answer = get(&edge, &format!("/v1/dead-letters?correlation={long}")).await;
    answer.assert_invalid("correlation");
}

#[tokio::test]
async fn one_letter_shows_what_it_says_only_if_asked() {
    let edge = with_letters(vec![letter(1)]).await;
    for address in [ONE.to_owned(), format!("{ONE}?value=false")] {
        let answer = get(&edge, &address).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["message"], "no such variant");
        assert_eq!(answer.body["bytes"], 4 + 9 + 10);
        assert!(!answer.body.to_string().contains("Jane"), "{answer:?}");
        assert!(answer.body.get("value").is_none() && answer.body.get("headers").is_none());
    }
    let answer = get(&edge, &format!("{ONE}?value=true")).await;
    let value = json!({ "text": null, "base64": "/0phbmUgRG9l" });
    assert_eq!(answer.body["value"], value);
    let header = json!({ "name": "x-name", "value": { "text": "Jane", "base64": "SmFuZQ==" } });
    assert_eq!(answer.body["headers"], json!([header]));
    let answer = get(&edge, &format!("{ONE}?value=Jane")).await;
    answer.assert_invalid("value");
    answer.assert_speaks_of_no_internals();
}

#[tokio::test]
async fn a_letter_that_is_not_there_is_not_found_and_what_names_none_is_invalid() {
    let edge = with_letters(vec![letter(1)]).await;
    for address in [
        "/v1/dead-letters/orders/argosy.order-events.v1/3/2",
        "/v1/dead-letters/orders/argosy.order-events.v1/2/1",
        "/v1/dead-letters/pricing/argosy.order-events.v1/3/1",
    ] {
        get(&edge, address).await.assert_problem(404, "not-found");
        let replay = post(&edge, &format!("{address}/replay")).await;
        replay.assert_problem(404, "not-found");
    }
    for address in [
        "/v1/dead-letters/orders/t/3/x",
        "/v1/dead-letters/orders/t/-3/1",
        "/v1/dead-letters/orders/t/3/01",
        "/v1/dead-letters/orders/t%2Fu/3/1",
        "/v1/dead-letters/orders/t%00/3/1",
        "/v1/dead-letters/orders/t/3/99999999999999999999",
        "/v1/dead-letters/%ff/t/3/1",
    ] {
        get(&edge, address).await.assert_invalid("id");
        let replay = post(&edge, &format!("{address}/replay")).await;
        replay.assert_invalid("id");
    }
    let wrong = get(&edge, &format!("{ONE}/replay")).await;
    wrong.assert_problem(405, "method-not-allowed");
    assert!(edge.store.audit(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_replay_is_asked_once_and_audited_under_the_operators_name() {
    let edge = with_letters(vec![letter(1)]).await;
    let answer = post(&edge, &format!("{ONE}/replay")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.headers["location"], ONE);
    let asked = json!({ "id": "orders/argosy.order-events.v1/3/1", "asked": "replay" });
    assert_eq!(answer.body, asked);
    for step in ["replay", "release"] {
        let again = post(&edge, &format!("{ONE}/{step}")).await;
        again.assert_problem(409, "already-asked");
    }
    assert_eq!(get(&edge, ONE).await.body["asked"], "replay");
    let due = edge.store.due_plan_steps(vec![letter(1).id.owner()], 10);
    let due = due.await.unwrap();
    assert_eq!((due.len(), due[0].kind), (1, PlanStepKind::Replay));
    let audit = edge.store.audit(10).await.unwrap();
    let told: Vec<(&str, &str, &Value)> = audit
        .iter()
        .map(|row| (&*row.actor, &*row.action, &row.subject["answer"]))
        .collect();
    let (asked, open) = (json!("asked"), json!("open"));
    assert_eq!(
        told,
        [
            ("maria", "dead-letters.release", &open),
            ("maria", "dead-letters.replay", &open),
            ("maria", "dead-letters.replay", &asked),
        ]
    );
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_by_a_kind_of_its_own() {
    let reference = LetterRow {
        is_reference: true,
        ..letter(1)
    };
    let edge = with_letters(vec![reference]).await;
    let refused = post(&edge, &format!("{ONE}/replay")).await;
    refused.assert_problem(409, "is-reference");
    let refused = post(&edge, &format!("{ONE}/release")).await;
    refused.assert_problem(409, "not-held");
    hold(&edge, 1).await;
    assert_eq!(get(&edge, ONE).await.body["held"], true);
    let released = post(&edge, &format!("{ONE}/release")).await;
    assert_eq!(
        (released.status.as_u16(), &released.body["asked"]),
        (202, &json!("release"))
    );
}
