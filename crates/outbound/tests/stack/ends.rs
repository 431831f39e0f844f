//! How a call ends whose run, journal or reader does not last.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{Death, Waiting};
use argosy_outbound::{Call, CallOutcome, Decision, Failure, Outcome, Read, Repeat};
use futures_util::FutureExt;
use tokio_util::task::TaskTracker;

use crate::{
    journal::{Memory, call, id, settings, stack, stack_of, succeeded},
    vendor::{Act, Vendor, answer, placed, text},
};

async fn all_ended(tracker: &TaskTracker) {
    tracker.close();
    tokio::time::timeout(Duration::from_secs(10), tracker.wait())
        .await
        .expect("sent calls end within their timeout");
}

#[tokio::test]
async fn a_call_that_was_sent_outlives_its_run_and_records_its_outcome() {
    let vendor = Vendor::start([Act::Wait(text(201, "", r#"{"id":"7"}"#))]).await;
    let journal = Memory::new();
    let (stack, tracker) = stack_of(settings(&vendor));
    let mut run = Box::pin(stack.effect(call(Repeat::Never), journal.shared()));
    tokio::select! {
        _ = &mut run => panic!("the vendor has not answered yet"),
        () = vendor.until_received(1) => drop(run),
    }
    vendor.let_go();
    all_ended(&tracker).await;
    assert_eq!(journal.recorded(), [succeeded(r#"{"id":"7"}"#)]);
}

#[tokio::test]
async fn a_refusal_too_is_recorded_after_its_run_is_gone() {
    let vendor = Vendor::start([Act::Wait(text(422, "", ""))]).await;
    let journal = Memory::new();
    let (stack, tracker) = stack_of(settings(&vendor));
    let mut run = Box::pin(stack.effect(call(Repeat::Never), journal.shared()));
    tokio::select! {
        _ = &mut run => panic!("the vendor has not answered yet"),
        () = vendor.until_received(1) => drop(run),
    }
    vendor.let_go();
    all_ended(&tracker).await;
    assert_eq!(journal.recorded(), [Outcome::NotHappened]);
    assert_eq!(
        vendor.received().len(),
        1,
        "a dropped run tries nothing again"
    );
}

#[tokio::test]
async fn a_run_dropped_before_its_claim_is_granted_sends_nothing() {
    let vendor = Vendor::start([placed("7")]).await;
    let journal = Memory::new();
    let (stack, tracker) = stack_of(settings(&vendor));
    let mut run = Box::pin(stack.effect(call(Repeat::Never), journal.shared()));
    // The first poll stops at the first wait, which comes before the claim.
    assert!((&mut run).now_or_never().is_none());
    drop(run);
    all_ended(&tracker).await;
    assert_eq!((vendor.received().len(), journal.recorded()), (0, vec![]));
}

fn store_down() -> Failure {
    Failure::new(
        Decision::Wait(Waiting::Dependency("store".into()), Duration::from_secs(1)),
        "the store is down",
    )
}

#[tokio::test]
async fn a_success_is_offered_again_to_a_journal_that_comes_back() {
    let (vendor, journal) = (
        Vendor::start([placed("7")]).await,
        Memory::failing_to_record([store_down()]),
    );
    let (result, _) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    assert_eq!(result.unwrap(), id("7"));
    assert_eq!(journal.recorded(), [succeeded(r#"{"id":"7"}"#)]);
}

#[tokio::test]
async fn a_success_that_cannot_be_recorded_is_not_returned() {
    let (vendor, journal) = (
        Vendor::start([placed("7")]).await,
        Memory::failing_to_record((0..5).map(|_| store_down())),
    );
    let (result, report) = stack(&vendor).effect(call(Repeat::Never), journal).await;
    assert_eq!(result.unwrap_err().decision, store_down().decision);
    assert_eq!(
        (report.outcome, report.tries, report.status),
        (CallOutcome::Failed, 1, Some(201))
    );
    assert_eq!(vendor.received().len(), 1);
}

#[tokio::test]
async fn a_refusal_that_cannot_be_recorded_stays_the_refusal() {
    let (vendor, journal) = (
        Vendor::start([answer(422, "", "")]).await,
        Memory::failing_to_record([store_down()]),
    );
    let (result, _) = stack(&vendor).effect(call(Repeat::Never), journal).await;
    assert_eq!(result.unwrap_err().decision, Decision::Dead(Death::Refused));
}

#[tokio::test]
async fn an_answer_too_large_to_record_goes_to_a_human() {
    let long = "x".repeat(70_000);
    let (vendor, journal) = (Vendor::start([placed(&long)]).await, Memory::new());
    let (result, _) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    assert_eq!(
        result.unwrap_err().decision,
        Decision::Dead(Death::Ambiguous)
    );
    assert_eq!(journal.recorded(), []);
}

#[tokio::test]
async fn a_reader_that_panics_is_its_runs_panic() {
    let (vendor, journal) = (Vendor::start([placed("7")]).await, Memory::new());
    let call = Call {
        read: Read::new(|_| panic!("a reader's fault")),
        ..call(Repeat::Never)
    };
    let stack: Arc<_> = stack(&vendor);
    let run = std::panic::AssertUnwindSafe(stack.effect(call, journal.shared()));
    assert!(run.catch_unwind().await.is_err());
    assert_eq!(journal.recorded(), []);
}
