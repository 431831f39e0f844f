//! What is sent under which claim, what is repeated, and what is recorded of it.

use argosy_kernel::{Death, Waiting};
use argosy_outbound::{Admission, CallOutcome, Class, Decision, Failure, Outcome, Repeat};
use bytes::Bytes;

use crate::{
    journal::{Answer, KEY, Memory, call, id, stack, succeeded},
    vendor::{Act, Vendor, answer, placed},
};

#[tokio::test]
async fn a_success_is_recorded_and_returned() {
    let (vendor, journal) = (Vendor::start([placed("7")]).await, Memory::new());
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    assert_eq!(result.unwrap(), id("7"));
    assert_eq!(journal.recorded(), [succeeded(r#"{"id":"7"}"#)]);
    assert_eq!(
        (report.outcome, report.tries, report.status),
        (CallOutcome::Sent, 1, Some(201))
    );
    assert_eq!(
        (report.class, report.repeat, report.detail),
        ("ok", false, None)
    );
}

#[tokio::test]
async fn the_bytes_of_the_claim_are_sent_with_the_effects_key() {
    let (vendor, journal) = (Vendor::start([placed("7")]).await, Memory::new());
    stack(&vendor)
        .effect(call(Repeat::Never), journal)
        .await
        .0
        .unwrap();
    let [received] = &vendor.received()[..] else {
        panic!("one request")
    };
    assert!(
        received.head.starts_with("POST /base/orders HTTP/1.1\r\n"),
        "{}",
        received.head
    );
    assert_eq!(received.body, "stored");
    assert_eq!(received.header("idempotency-key"), Some(&*KEY.to_string()));
    assert!(received.header("x-request-id").is_some());
}

#[tokio::test]
async fn a_recorded_success_is_returned_without_calling() {
    let (vendor, journal) = (
        Vendor::start([placed("7")]).await,
        Memory::holding(r#"{"id":"old"}"#),
    );
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    assert_eq!(result.unwrap(), id("old"));
    assert_eq!((report.outcome, report.tries), (CallOutcome::Recalled, 0));
    assert_eq!((journal.claims(), vendor.received().len()), (0, 0));
}

#[tokio::test]
async fn a_success_recorded_meanwhile_is_returned_without_calling() {
    let vendor = Vendor::start([placed("7")]).await;
    let admission = Admission::Succeeded(Bytes::from_static(br#"{"id":"old"}"#));
    let journal = Memory::answering([Answer::Say(admission)]);
    let (result, report) = stack(&vendor).effect(call(Repeat::Never), journal).await;
    assert_eq!(result.unwrap(), id("old"));
    assert_eq!(
        (report.outcome, vendor.received().len()),
        (CallOutcome::Recalled, 0)
    );
}

#[tokio::test]
async fn a_recorded_success_that_cannot_be_read_is_never_called_again() {
    let (vendor, journal) = (Vendor::start([placed("7")]).await, Memory::holding("[]"));
    let failure = stack(&vendor)
        .effect(call(Repeat::Natural), journal)
        .await
        .0
        .unwrap_err();
    assert_eq!(failure.decision, Decision::Dead(Death::Misconfigured));
    assert_eq!(vendor.received().len(), 0);
}

#[tokio::test]
async fn a_fenced_claim_ends_the_call_unsent() {
    let vendor = Vendor::start([placed("7")]).await;
    let journal = Memory::answering([Answer::Fail(Failure::new(Decision::Fenced, "fenced"))]);
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Natural), journal.shared())
        .await;
    assert_eq!(result.unwrap_err().decision, Decision::Fenced);
    assert_eq!(
        (report.outcome, report.class, report.tries),
        (CallOutcome::Failed, "none", 0)
    );
    assert_eq!((journal.claims(), vendor.received().len()), (1, 0));
}

#[tokio::test]
async fn what_was_not_executed_is_tried_again_under_a_new_claim() {
    let script = [
        answer(503, "retry-after: 0\r\n", ""),
        answer(429, "Retry-After: 0\r\n", ""),
        placed("7"),
    ];
    let (vendor, journal) = (Vendor::start(script).await, Memory::new());
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    assert_eq!(result.unwrap(), id("7"));
    assert_eq!(
        (report.tries, report.repeat, journal.claims()),
        (3, false, 3)
    );
    let recorded = journal.recorded();
    assert_eq!(
        recorded,
        [
            Outcome::NotHappened,
            Outcome::NotHappened,
            succeeded(r#"{"id":"7"}"#)
        ]
    );
}

#[tokio::test]
async fn a_call_cut_after_accepting_is_not_repeated_where_the_repeat_would_happen_again() {
    let (vendor, journal) = (
        Vendor::start([Act::CutAfter, placed("2")]).await,
        Memory::new(),
    );
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    let failure = result.unwrap_err();
    assert_eq!(failure.class, Some(Class::Ambiguous));
    assert!(
        matches!(failure.decision, Decision::Wait(Waiting::Claimed, _)),
        "{:?}",
        failure.decision
    );
    assert_eq!((report.tries, report.class), (1, "ambiguous"));
    assert_eq!((vendor.received().len(), journal.recorded()), (1, vec![]));
}

#[tokio::test]
async fn a_call_cut_after_accepting_is_repeated_where_the_repeat_is_recognised() {
    for repeat in [
        Repeat::Natural,
        Repeat::Remembered(std::time::Duration::from_secs(86_400)),
    ] {
        let (vendor, journal) = (
            Vendor::start([Act::CutAfter, placed("7")]).await,
            Memory::new(),
        );
        let (result, report) = stack(&vendor).effect(call(repeat), journal.shared()).await;
        assert_eq!(result.unwrap(), id("7"));
        assert_eq!(
            (report.tries, report.repeat, journal.claims()),
            (2, true, 2)
        );
        assert_eq!(journal.recorded(), [succeeded(r#"{"id":"7"}"#)]);
        let received = vendor.received();
        assert_eq!(received[0].body, received[1].body);
        assert_eq!(
            received[0].header("idempotency-key"),
            received[1].header("idempotency-key")
        );
        assert_ne!(
            received[0].header("x-request-id"),
            received[1].header("x-request-id")
        );
    }
}

#[tokio::test]
async fn after_a_try_that_may_have_happened_a_refusal_does_not_give_up_the_claim() {
    let script = [Act::CutAfter, answer(503, "retry-after: 0\r\n", "")];
    let (vendor, journal) = (Vendor::start(script).await, Memory::new());
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Natural), journal.shared())
        .await;
    assert_eq!(
        result.unwrap_err().class,
        Some(Class::NotExecuted(Some(std::time::Duration::ZERO)))
    );
    assert_eq!((report.tries, report.repeat), (3, true));
    assert_eq!(journal.recorded(), []);
}

#[tokio::test]
async fn after_another_runs_try_a_refusal_does_not_give_up_the_claim() {
    let (vendor, journal) = (
        Vendor::start([answer(422, "", "")]).await,
        Memory::answering([Answer::Send { repeat: true }]),
    );
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Natural), journal.shared())
        .await;
    assert_eq!(result.unwrap_err().decision, Decision::Dead(Death::Refused));
    assert!(report.repeat);
    assert_eq!(journal.recorded(), []);
}

#[tokio::test]
async fn a_claim_that_expired_before_sending_is_asked_for_anew() {
    let vendor = Vendor::start([placed("7")]).await;
    let journal = Memory::answering([Answer::Stale, Answer::Stale]);
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    assert_eq!(result.unwrap(), id("7"));
    assert_eq!(
        (journal.claims(), vendor.received().len(), report.tries),
        (3, 1, 1)
    );
}

#[tokio::test]
async fn claims_that_keep_expiring_end_the_run_unsent() {
    let vendor = Vendor::start([placed("7")]).await;
    let journal = Memory::answering([Answer::Stale, Answer::Stale, Answer::Stale]);
    let (result, report) = stack(&vendor)
        .effect(call(Repeat::Natural), journal.shared())
        .await;
    assert!(matches!(
        result.unwrap_err().decision,
        Decision::Wait(Waiting::Claimed, _)
    ));
    assert_eq!(
        (journal.claims(), vendor.received().len(), report.tries),
        (3, 0, 0)
    );
    assert_eq!(journal.recorded(), []);
}

#[tokio::test]
async fn stored_bytes_that_cannot_be_read_are_not_sent() {
    let vendor = Vendor::start([placed("7")]).await;
    let sendable_until = tokio::time::Instant::now().into_std() + std::time::Duration::from_secs(5);
    let request = Bytes::from_static(b"\x09");
    let journal = Memory::answering([Answer::Say(Admission::Send {
        request,
        sendable_until,
        repeat: true,
    })]);
    let failure = stack(&vendor)
        .effect(call(Repeat::Natural), journal)
        .await
        .0
        .unwrap_err();
    assert_eq!(failure.decision, Decision::Dead(Death::Misconfigured));
    assert_eq!(vendor.received().len(), 0);
}
