//! An effect whose outcome only the vendor knows is looked up, never sent again.

use argosy_kernel::{Death, Waiting};
use argosy_outbound::{Admission, CallOutcome, Decision, Repeat};

use crate::{
    journal::{Answer, Memory, call, call_with_lookup, dependency, id, stack, succeeded},
    vendor::{Vendor, answer},
};

fn expired() -> std::sync::Arc<Memory> {
    Memory::answering([Answer::Say(Admission::LookUp)])
}

#[tokio::test]
async fn what_the_lookup_finds_is_recorded_and_returned() {
    let (vendor, journal) = (
        Vendor::start([answer(200, "", r#"{"id":"7"}"#)]).await,
        expired(),
    );
    let (result, report) = stack(&vendor)
        .effect(call_with_lookup(Repeat::Never), journal.shared())
        .await;
    assert_eq!(result.unwrap(), id("7"));
    assert_eq!(journal.recorded(), [succeeded(r#"{"id":"7"}"#)]);
    assert_eq!(
        (report.outcome, report.repeat),
        (CallOutcome::LookedUp, true)
    );
    let [received] = &vendor.received()[..] else {
        panic!("one request")
    };
    assert!(received.head.starts_with("GET /base/orders?ours=1 "));
    assert_eq!(received.header("idempotency-key"), None);
}

#[tokio::test]
async fn what_the_lookup_does_not_find_goes_to_a_human() {
    let (vendor, journal) = (Vendor::start([answer(200, "", "null")]).await, expired());
    let (result, report) = stack(&vendor)
        .effect(call_with_lookup(Repeat::Never), journal.shared())
        .await;
    let failure = result.unwrap_err();
    assert_eq!(failure.decision, Decision::Dead(Death::Ambiguous));
    assert!(failure.message.contains("resolve"), "{failure}");
    assert_eq!(
        (report.outcome, journal.recorded()),
        (CallOutcome::Failed, vec![])
    );
}

#[tokio::test]
async fn without_a_lookup_it_goes_to_a_human_unsent() {
    let (vendor, journal) = (Vendor::start([answer(200, "", "null")]).await, expired());
    let (result, _) = stack(&vendor)
        .effect(call(Repeat::Never), journal.shared())
        .await;
    assert_eq!(
        result.unwrap_err().decision,
        Decision::Dead(Death::Ambiguous)
    );
    assert_eq!((vendor.received().len(), journal.recorded()), (0, vec![]));
}

#[tokio::test]
async fn a_lookup_that_fails_waits_for_the_vendor_and_records_nothing() {
    for status in [500, 502, 504] {
        let (vendor, journal) = (Vendor::start([answer(status, "", "")]).await, expired());
        let (result, _) = stack(&vendor)
            .effect(call_with_lookup(Repeat::Never), journal.shared())
            .await;
        let decision = result.unwrap_err().decision;
        assert!(
            matches!(decision, Decision::Wait(Waiting::Dependency(name), _) if name == dependency().0)
        );
        assert_eq!(journal.recorded(), []);
    }
}

#[tokio::test]
async fn a_lookup_that_is_refused_records_nothing() {
    let (vendor, journal) = (Vendor::start([answer(404, "", "")]).await, expired());
    let (result, _) = stack(&vendor)
        .effect(call_with_lookup(Repeat::Never), journal.shared())
        .await;
    result.unwrap_err();
    assert_eq!(journal.recorded(), []);
}
