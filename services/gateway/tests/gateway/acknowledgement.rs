//! `POST /v1/events` when the broker does not acknowledge: what is unknown, what is refused for good, what is too much.

use argosy_broker::BrokerError;

use crate::{
    broker::Mood,
    edge::{Edge, settings},
    intake::{ORDER, binary, post},
};

#[tokio::test]
async fn an_intake_that_the_broker_does_not_acknowledge_is_unknown() {
    let edge = Edge::new();
    let away = BrokerError::Unavailable("10.0.0.7:9092 is down".to_owned());
    for mood in [
        Mood::Fails(away.clone()),
        Mood::FailsLast(away),
        Mood::FailsLast(BrokerError::QueueFull),
    ] {
        edge.broker.mood(mood);
        let answer = post(&edge, binary("a"), ORDER).await;
        answer.assert_problem(503, "unknown");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        assert!(
            !answer.body.to_string().contains("10.0.0.7"),
            "no internals: {answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_answer_leaves_an_unknown_at_the_deadline() {
    let edge = Edge::new();
    edge.broker.mood(Mood::Hangs);
    let began = tokio::time::Instant::now();
    post(&edge, binary("a"), ORDER)
        .await
        .assert_problem(503, "unknown");
    assert_eq!(began.elapsed(), settings().deadline);
}

#[tokio::test]
async fn an_event_that_the_broker_refuses_for_good_is_not_asked_for_again() {
    let edge = Edge::new();
    let refused = BrokerError::Rejected("send: MessageSizeTooLarge (10.0.0.7)".to_owned());
    for mood in [Mood::Fails(refused.clone()), Mood::FailsLast(refused)] {
        edge.broker.mood(mood);
        let answer = post(&edge, binary("a"), ORDER).await;
        answer.assert_problem(500, "rejected");
        assert!(!answer.headers.contains_key("retry-after"), "{answer:?}");
        answer.assert_speaks_of_no_internals();
    }
}

#[tokio::test]
async fn a_full_producer_queue_is_an_overload() {
    let edge = Edge::new();
    edge.broker.mood(Mood::Fails(BrokerError::QueueFull));
    let answer = post(&edge, binary("a"), ORDER).await;
    answer.assert_problem(429, "overloaded");
    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
}
