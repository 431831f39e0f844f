//! `POST /v1/events`: what is taken in, and every way in which it is refused.

use argosy_events::{
    Payload,
    orders::v1::{OrderApproved, OrderPlaced},
};
use argosy_shell::config::{Gateway, Secret};
use axum::{
    body::Body,
    http::{Request, request::Builder},
};

use crate::edge::{Answer, Edge, settings};

pub(crate) const ORDER: &str =
    r#"{"orderId":"1001","version":"9007199254740993","shop":"one.example","currency":"EUR"}"#;

pub(crate) fn binary(id: &str) -> Builder {
    Request::post("/v1/events")
        .header("ce-specversion", "1.0")
        .header("ce-id", id)
        .header("ce-source", "upstream")
        .header("ce-type", OrderPlaced::TYPE)
        .header("content-type", "application/json")
}

fn structured(document: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/v1/events").header(
        "content-type",
        "application/cloudevents+json; charset=utf-8",
    );
    request.body(document.into()).expect("a request")
}

pub(crate) async fn post(edge: &Edge, request: Builder, body: impl Into<Body>) -> Answer {
    edge.ask(request.body(body.into()).expect("a request"))
        .await
}

#[tokio::test]
async fn a_binary_event_is_written_with_its_step_in_one_batch() {
    let edge = Edge::new();
    let answer = post(
        &edge,
        binary("a%20b").header("ce-correlationid", "flow"),
        ORDER,
    )
    .await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(
        answer.headers["location"],
        "/v1/events/a%20b?source=upstream"
    );
    assert_eq!(answer.body["correlation_id"], "flow");
    assert_eq!(answer.body["events"][0]["id"], "a b");

    let batches = edge.broker.sent();
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].len(), 2, "the event and its step leave together");
    let (envelope, key, body) = edge.events().remove(0);
    assert_eq!(
        (&*envelope.source, &*envelope.id, &*envelope.correlation_id),
        ("upstream", "a b", "flow")
    );
    assert_eq!(
        envelope.content_type.as_deref(),
        Some("application/protobuf")
    );
    assert_eq!(key.as_deref(), Some("1001"));
    assert_eq!(body.version, 9_007_199_254_740_993);
    let step = edge.steps().remove(0).entries.remove(0);
    assert_eq!(
        (&*step.worker, &*step.id, &*step.correlation_id),
        ("gateway", "a b", "flow")
    );
}

#[tokio::test]
async fn a_structured_event_is_the_same_event() {
    let edge = Edge::new();
    let document = format!(
        r#"{{"specversion":"1.0","id":"a","source":"upstream","type":"{}","data":{ORDER}}}"#,
        OrderPlaced::TYPE
    );
    assert_eq!(edge.ask(structured(document)).await.status, 202);
    assert_eq!(post(&edge, binary("a"), ORDER).await.status, 202);
    let events = edge.events();
    assert_eq!(events[0].0.id, events[1].0.id);
    assert_eq!(events[0].2, events[1].2);
    assert_eq!(
        &*events[0].0.correlation_id, "a",
        "a missing correlation id becomes the own id"
    );
}

#[tokio::test]
async fn a_protobuf_body_is_taken_too() {
    let edge = Edge::new();
    let order = OrderApproved {
        order_id: "1001".to_owned(),
        shop: "one.example".to_owned(),
        currency: "EUR".to_owned(),
        ..OrderApproved::default()
    };
    let request = Request::post("/v1/events")
        .header("ce-id", "a")
        .header("ce-type", OrderApproved::TYPE)
        .header("content-type", "application/protobuf");
    let answer = post(&edge, request, order.encode()).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let (envelope, _, body) = edge.events().remove(0);
    assert_eq!(
        &*envelope.source, "argosy://gateway",
        "a missing source is the gateway's"
    );
    assert_eq!(body, order);
}

#[tokio::test]
async fn trace_context_is_carried() {
    let edge = Edge::new();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    post(&edge, binary("a").header("traceparent", parent), ORDER).await;
    assert_eq!(edge.events()[0].0.traceparent.as_deref(), Some(parent));
}

#[tokio::test]
async fn attributes_that_are_not_as_they_should_be_are_named() {
    let edge = Edge::new();
    let bare = || Request::post("/v1/events").header("content-type", "application/json");
    let long = "x".repeat(256);
    let cases = [
        (bare().header("ce-type", OrderPlaced::TYPE), "id"),
        (bare().header("ce-id", "a"), "type"),
        (
            bare()
                .header("ce-id", "a")
                .header("ce-type", "argosy.orders.v1.OrderLost"),
            "type",
        ),
        (
            bare()
                .header("ce-id", "a")
                .header("ce-type", "argosy.fleet.v1.TimelineBatch"),
            "type",
        ),
        (
            bare()
                .header("ce-id", "")
                .header("ce-type", OrderPlaced::TYPE),
            "id",
        ),
        (
            bare()
                .header("ce-id", "a%00b")
                .header("ce-type", OrderPlaced::TYPE),
            "id",
        ),
        (
            bare()
                .header("ce-id", &[0xff][..])
                .header("ce-type", OrderPlaced::TYPE),
            "id",
        ),
        (
            bare()
                .header("ce-id", &*long)
                .header("ce-type", OrderPlaced::TYPE),
            "id",
        ),
        (binary("a").header("ce-id", "b"), "id"),
        (binary("a").header("ce-source", "twice"), "source"),
        (binary("a").header("ce-time", "yesterday"), "time"),
        (
            binary("a").header("ce-correlationid", &*long),
            "correlationid",
        ),
        (
            bare()
                .header("ce-specversion", "0.3")
                .header("ce-id", "a")
                .header("ce-type", OrderPlaced::TYPE),
            "specversion",
        ),
    ];
    for (request, path) in cases {
        post(&edge, request, ORDER).await.assert_invalid(path);
    }
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn bodies_that_are_not_as_they_should_be_are_named_by_the_field() {
    let edge = Edge::new();
    let cases: &[(&[u8], &str)] = &[
        (b"", "data"),
        (b"{", "data"),
        (b"[]", "data"),
        (b"{}", "orderId"),
        (br#"{"orderId":7}"#, "orderId"),
        (br#"{"orderId":"1","orderId":"2"}"#, "orderId"),
        (br#"{"orderId":"1","shop":"s","currency":"eur"}"#, "currency"),
        (br#"{"orderId":"1","shop":"s","currency":"EUR","lines":[{"lineId":"1","quantity":"Jane"}]}"#, "lines[0].quantity"),
        (br#"{"orderId":"1","shop":"s","currency":"EUR","lines":[{"lineId":"1"}]}"#, "lines[0].quantity"),
        (br#"{"orderId":"1","shop":"s","currency":"EUR","lines":[{"quantity":1}]}"#, "lines[0].lineId"),
        (br#"{"orderId":"1","shop":"s","currency":"EUR","shippingAdress":{"city":"Jane"}}"#, "shippingAdress"),
        (br#"{"orderId":"1","shop":"s","currency":"EUR","customer":{"mail":"Jane"}}"#, "customer.mail"),
        (b"\xff\xff", "data"),
    ];
    for (body, path) in cases {
        let answer = post(&edge, binary("a"), body.to_vec()).await;
        answer.assert_invalid(path);
        answer.assert_speaks_of_no_internals();
    }
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn what_is_wrong_is_told_once_beside_its_path() {
    let edge = Edge::new();
    let answer = post(&edge, binary("a"), r#"{"orderId":7}"#).await;
    answer.assert_invalid("orderId");
    assert_eq!(answer.body["detail"], "must be a text");

    let answer = post(&edge, binary("a"), "{}").await;
    answer.assert_invalid("orderId");
    assert_eq!(answer.body["detail"], "is missing");

    let typed = |event_type: &str| {
        let event = Request::post("/v1/events").header("content-type", "application/json");
        event.header("ce-id", "a").header("ce-type", event_type)
    };
    let answer = post(&edge, typed("Lost"), ORDER).await;
    answer.assert_invalid("type");
    let detail = answer.body["detail"].as_str().expect("a text");
    assert!(detail.starts_with("is not known: use one of "), "{detail}");
    assert!(detail.contains(OrderPlaced::TYPE), "{detail}");

    let answer = post(&edge, typed(""), ORDER).await;
    answer.assert_invalid("type");
    assert_eq!(answer.body["detail"], "is empty");

    let misspelt = format!(
        r#"{{"id":"a","type":"{}","comment":"an extension","data":{{"shippingAdress":{{}}}}}}"#,
        OrderPlaced::TYPE
    );
    let answer = edge.ask(structured(misspelt)).await;
    answer.assert_invalid("shippingAdress");
    assert_eq!(answer.body["detail"], "is unknown here");
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn attributes_that_are_not_ours_are_left_out() {
    let edge = Edge::new();
    let answer = post(&edge, binary("a").header("ce-comment", "x"), ORDER).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let batches = edge.broker.sent();
    let mut names = batches[0].iter().flat_map(|message| &message.headers);
    assert!(names.all(|(name, _)| !name.contains("comment")));
}

#[tokio::test]
async fn documents_that_are_not_as_they_should_be_are_refused() {
    let edge = Edge::new();
    for (document, path) in [
        ("", "data"),
        ("{", "data"),
        ("[]", "data"),
        ("null", "data"),
        (r#"{"id":"a"}"#, "data"),
        (r#"{"id":"Jane","id":"b","data":{}}"#, "id"),
        (r#"{"id":5,"data":{}}"#, "id"),
        (r#"{"id":"a","time":["Jane"],"data":{}}"#, "time"),
        (r#"{"id":"a","data_base64":"*"}"#, "data_base64"),
    ] {
        let answer = edge.ask(structured(document)).await;
        answer.assert_invalid(path);
        answer.assert_speaks_of_no_internals();
    }
    let hostile = r#"{"id":"a\u0000","type":"argosy.orders.v1.OrderPlaced","data":{}}"#;
    edge.ask(structured(hostile)).await.assert_invalid("id");
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let edge = Edge::new();
    for content_type in [
        "text/plain",
        "application/cloudevents-batch+json",
        "",
        "application/jsonx",
    ] {
        let request = Request::post("/v1/events")
            .header("content-type", content_type)
            .header("ce-id", "a");
        post(&edge, request, ORDER)
            .await
            .assert_problem(415, "media-type");
    }
    post(&edge, binary("a").header("content-encoding", "gzip"), ORDER)
        .await
        .assert_problem(415, "media-type");
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_whether_its_length_is_declared_or_not() {
    let edge = Edge::new();
    let long = vec![b' '; 64 * 1_024 + 1];
    post(&edge, binary("a"), long.clone())
        .await
        .assert_problem(413, "too-large");
    post(
        &edge,
        binary("a").header("content-length", long.len()),
        long.clone(),
    )
    .await
    .assert_problem(413, "too-large");
    let chunks = futures_util::stream::iter(
        long.chunks(1_000)
            .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()))
            .collect::<Vec<_>>(),
    );
    post(&edge, binary("a"), Body::from_stream(chunks))
        .await
        .assert_problem(413, "too-large");
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let edge = Edge::new();
    let broken = futures_util::stream::iter([
        Ok(ORDER.as_bytes().to_vec()),
        Err(std::io::Error::other("gone")),
    ]);
    post(&edge, binary("a"), Body::from_stream(broken))
        .await
        .assert_invalid("data");
    edge.assert_nothing_sent();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_answered_at_the_deadline() {
    let edge = Edge::new();
    let endless = Body::from_stream(futures_util::stream::pending::<
        Result<Vec<u8>, std::io::Error>,
    >());
    post(&edge, binary("a"), endless)
        .await
        .assert_problem(408, "body-late");
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn a_protobuf_that_is_none_is_refused_in_our_own_words() {
    let edge = Edge::new();
    for (body, path) in [(&b"\x08\x01"[..], "order_id"), (b"\xff\xff", "data")] {
        let request = Request::post("/v1/events")
            .header("ce-id", "a")
            .header("ce-type", OrderPlaced::TYPE)
            .header("content-type", "application/protobuf");
        let answer = post(&edge, request, body.to_vec()).await;
        answer.assert_invalid(path);
        answer.assert_speaks_of_no_internals();
    }
    edge.assert_nothing_sent();
}

#[tokio::test]
async fn a_set_intake_token_is_needed() {
    let edge = Edge::with(Gateway {
        intake_token: Some(Secret::new("intake")),
        ..settings()
    });
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic intake",
        "intake",
    ] {
        let answer = post(
            &edge,
            binary("a").header("authorization", authorization),
            ORDER,
        )
        .await;
        answer.assert_problem(401, "unauthorized");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    post(&edge, binary("a"), ORDER)
        .await
        .assert_problem(401, "unauthorized");
    edge.assert_nothing_sent();
    assert_eq!(
        post(
            &edge,
            binary("a").header("authorization", "bearer intake"),
            ORDER
        )
        .await
        .status,
        202
    );
}
