//! The operator's addresses: effects, and the word on one whose outcome is unknown.

use std::{sync::Arc, time::Duration};

use argosy_kernel::Epoch;
use argosy_shell::config::Gateway;
use argosy_store::{Claim, EffectId, EventKey, OwnerKey, Store};
use axum::{body::Body, http::Request};
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::edge::{Answer, Edge, OPERATOR, settings};

const EFFECTS: &str = "/v1/effects?source=upstream&event=a";

async fn ask(edge: &Edge, authorization: &str) -> Answer {
    let request = Request::get(EFFECTS).header("authorization", authorization);
    edge.ask(request.body(Body::empty()).expect("a request"))
        .await
}

async fn resolve(edge: &Edge, body: impl Into<Body>) -> Answer {
    let request = Request::post("/v1/effects/resolve")
        .header("authorization", format!("Bearer {OPERATOR}"))
        .header("x-actor", "maria")
        .header("content-type", "application/json");
    edge.ask(request.body(body.into()).expect("a request"))
        .await
}

fn word(more: &Value) -> String {
    let mut word = json!({ "worker": "orders", "source": "upstream", "event": "a", "name": "draft", "key": "north" });
    let fields = more.as_object().expect("an object").clone();
    word.as_object_mut().expect("an object").extend(fields);
    word.to_string()
}

/// One effect, claimed and never heard of again.
async fn claim(edge: &Edge) {
    let owner = OwnerKey {
        worker: "orders".into(),
        topic: "t".into(),
        partition: 0,
    };
    let epochs = edge
        .store
        .take_owners(Uuid::from_u128(1), vec![owner.clone()])
        .await
        .expect("the store takes it");
    let epoch: Epoch = epochs[0];
    let claim = Claim {
        id: EffectId {
            of: EventKey {
                worker: "orders".into(),
                source: "upstream".into(),
                event: "a".into(),
            },
            name: "draft".into(),
            key: "north".into(),
        },
        owner,
        epoch,
        run: Uuid::from_u128(2),
        body_hash: [0; 32],
        operation: Arc::from("north/place-draft"),
        request: Bytes::from_static(b"POST /v1/orders Jane Doe"),
        hold: Duration::from_secs(20),
        over: None,
    };
    edge.store
        .claim(vec![claim])
        .await
        .expect("the store takes it");
}

#[tokio::test]
async fn the_operators_addresses_need_the_operators_token() {
    let edge = Edge::new();
    for wrong in ["", "Bearer", "Bearer wrong", "Basic abc"] {
        ask(&edge, wrong).await.assert_problem(401, "unauthorized");
    }
    edge.get(EFFECTS).await.assert_problem(401, "unauthorized");
    let unsigned = Request::post("/v1/effects/resolve").header("content-type", "application/json");
    edge.ask(unsigned.body(Body::from("{}")).unwrap())
        .await
        .assert_problem(401, "unauthorized");
    assert_eq!(ask(&edge, &format!("Bearer {OPERATOR}")).await.status, 200);
}

#[tokio::test]
async fn without_a_configured_token_they_are_closed() {
    let edge = Edge::with(Gateway {
        operator_token: None,
        ..settings()
    });
    ask(&edge, "Bearer ").await.assert_problem(403, "closed");
}

#[tokio::test]
async fn effects_are_listed_without_their_requests() {
    let edge = Edge::new();
    claim(&edge).await;
    let answer = ask(&edge, &format!("Bearer {OPERATOR}")).await;
    let effect = &answer.body["effects"][0];
    assert_eq!(
        (&effect["name"], &effect["state"]),
        (&json!("draft"), &json!("open"))
    );
    assert!(!answer.body.to_string().contains("Jane"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_word_is_refused_while_the_claim_is_good_and_taken_once_after() {
    let edge = Edge::new();
    claim(&edge).await;
    let happened = word(&json!({ "happened": { "order_id": "s-1" } }));
    resolve(&edge, happened.clone())
        .await
        .assert_problem(409, "conflict");
    tokio::time::advance(Duration::from_secs(21)).await;
    let answer = resolve(&edge, happened).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        (&answer.body["state"], &answer.body["answer"]["order_id"]),
        (&json!("succeeded"), &json!("s-1"))
    );
    resolve(&edge, word(&json!({ "did_not_happen": true })))
        .await
        .assert_problem(409, "conflict");
    let audit = edge.store.audit(10).await.unwrap();
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert_eq!(
        (&*audit[0].actor, &*audit[0].action),
        ("maria", "effects.resolve")
    );
}

#[tokio::test(start_paused = true)]
async fn null_is_an_answer_and_nothing_is_none() {
    let edge = Edge::new();
    claim(&edge).await;
    tokio::time::advance(Duration::from_secs(21)).await;
    resolve(&edge, word(&json!({})))
        .await
        .assert_invalid("happened");
    resolve(
        &edge,
        word(&json!({ "happened": 1, "did_not_happen": true })),
    )
    .await
    .assert_invalid("happened");
    resolve(&edge, word(&json!({ "did_not_happen": false })))
        .await
        .assert_invalid("happened");
    let answer = resolve(&edge, word(&json!({ "happened": null }))).await;
    assert_eq!(answer.body["state"], "succeeded", "{answer:?}");
}

#[tokio::test]
async fn a_word_on_an_unknown_effect_is_not_found() {
    let edge = Edge::new();
    resolve(&edge, word(&json!({ "did_not_happen": true })))
        .await
        .assert_problem(404, "not-found");
}

#[tokio::test]
async fn a_word_that_is_not_as_it_should_be_is_named_by_the_field() {
    let edge = Edge::new();
    let cases = [
        (String::new(), "body"),
        ("{".to_owned(), "body"),
        ("[]".to_owned(), "body"),
        ("\"Jane\"".to_owned(), "body"),
        ("{}".to_owned(), "worker"),
        (r#"{"worker":"Jane","worker":"b"}"#.to_owned(), "worker"),
        (r#"{"worker":1}"#.to_owned(), "worker"),
        (word(&json!({ "unknown": 1 })), "unknown"),
        (word(&json!({ "did_not_happen": "Jane" })), "did_not_happen"),
        (word(&json!({ "did_not_happen": true, "key": "" })), "key"),
        (
            word(&json!({ "did_not_happen": true, "event": "a\0" })),
            "event",
        ),
        (
            format!("{} x", word(&json!({ "did_not_happen": true }))),
            "body",
        ),
    ];
    for (body, path) in cases {
        let answer = resolve(&edge, body).await;
        answer.assert_invalid(path);
        answer.assert_speaks_of_no_internals();
    }
    let long = word(&json!({ "happened": "x".repeat(64 * 1_024) }));
    resolve(&edge, long.clone())
        .await
        .assert_problem(413, "too-large");
    let wide = Edge::with(Gateway {
        body_bytes_max: 1 << 20,
        ..settings()
    });
    resolve(&wide, long).await.assert_invalid("happened");
}

#[tokio::test]
async fn a_question_without_its_event_names_it() {
    let edge = Edge::new();
    let request = Request::get("/v1/effects?source=upstream")
        .header("authorization", format!("Bearer {OPERATOR}"));
    let answer = edge.ask(request.body(Body::empty()).unwrap()).await;
    answer.assert_invalid("event");
}

#[tokio::test(start_paused = true)]
async fn a_word_that_never_arrives_is_no_event_of_unknown_fate() {
    let edge = Edge::new();
    let endless = Body::from_stream(futures_util::stream::pending::<
        Result<Vec<u8>, std::io::Error>,
    >());
    let answer = resolve(&edge, endless).await;
    answer.assert_problem(408, "body-late");
    assert!(!answer.body.to_string().contains("event"), "{answer:?}");
}
