//! What every address has in common: bounds, names, headers, refusals.

use axum::{body::Body, http::Request};
use uuid::Uuid;

use crate::{
    broker::Mood,
    edge::{Edge, settings},
};

#[tokio::test]
async fn an_unknown_address_is_a_problem() {
    let edge = Edge::new();
    for address in ["/", "/v1", "/v1/events/", "/v2/events/a", "/v1/events/a/b"] {
        edge.get(address).await.assert_problem(404, "not-found");
    }
}

#[tokio::test]
async fn another_method_is_a_problem_that_says_which_are_allowed() {
    let edge = Edge::new();
    let answer = edge
        .ask(Request::delete("/v1/events").body(Body::empty()).unwrap())
        .await;
    answer.assert_problem(405, "method-not-allowed");
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test]
async fn a_callers_request_id_is_given_back_if_it_is_fit_to_be_logged() {
    let edge = Edge::new();
    let ask = |id: &str| {
        edge.ask(
            Request::get("/")
                .header("x-request-id", id)
                .body(Body::empty())
                .unwrap(),
        )
    };
    assert_eq!(ask("abc-1").await.headers["x-request-id"], "abc-1");
    let long = "x".repeat(129);
    for unfit in ["", "a b", &*long] {
        assert_ne!(ask(unfit).await.headers["x-request-id"], unfit);
    }
}

#[tokio::test]
async fn answers_are_not_cached_framed_or_guessed() {
    let answer = Edge::new().get("/").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["x-frame-options"], "DENY");
    assert!(answer.headers.contains_key("content-security-policy"));
}

#[tokio::test(start_paused = true)]
async fn more_requests_than_allowed_are_refused_at_once_and_the_others_go_on() {
    let edge = Edge::new();
    edge.broker.mood(Mood::Hangs);
    let request = || {
        let event = Request::post("/v1/events")
            .header("content-type", "application/json")
            .header("ce-id", "a")
            .header("ce-type", "argosy.orders.v1.OrderPlaced");
        event
            .body(Body::from(r#"{"orderId":"1","shop":"s","currency":"EUR"}"#))
            .unwrap()
    };
    let allowed = settings().in_flight_max;
    let asked = (0..allowed + 3).map(|_| edge.ask(request()));
    let answers = futures_util::future::join_all(asked).await;
    let count = |status: u16| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!((count(503), count(429)), (allowed, 3));
    assert_eq!(edge.broker.sent().len(), allowed);
    edge.broker.mood(Mood::Acknowledges);
    assert_eq!(
        edge.ask(request()).await.status,
        202,
        "places are given back"
    );
}

#[tokio::test]
async fn names_in_addresses_are_bounded_text() {
    let edge = Edge::new();
    let long = "x".repeat(1_025);
    for id in ["%00", "%0A", "%FF", &*long] {
        edge.get(&format!("/v1/events/{id}"))
            .await
            .assert_invalid("id");
        edge.get(&format!("/v1/timelines/{id}"))
            .await
            .assert_invalid("id");
    }
    edge.get("/v1/events/a?source=")
        .await
        .assert_invalid("source");
    edge.get("/v1/events/a?source=%00")
        .await
        .assert_invalid("source");
    edge.get("/v1/events/a?sauce=x")
        .await
        .assert_invalid("sauce");
    edge.get("/v1/events/a?source=x&source=y")
        .await
        .assert_invalid("source");
    for rows in ["0", "10001", "-1", "Jane", "", "99999999999"] {
        let answer = edge.get(&format!("/v1/timelines/a?rows_max={rows}")).await;
        answer.assert_invalid("rows_max");
        answer.assert_speaks_of_no_internals();
    }
    let nil = Uuid::nil();
    for after in [
        "",
        "1",
        "1.2.3",
        &format!("1.{nil}"),
        &format!("x.{nil}.1"),
        &format!("1.{nil}.99999999999999999999"),
    ] {
        edge.get(&format!("/v1/timelines/a?after={after}"))
            .await
            .assert_invalid("after");
    }
}
