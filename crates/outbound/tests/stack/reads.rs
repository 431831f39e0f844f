//! Calls that change nothing: no claim, no key, repeated freely.

use argosy_kernel::Waiting;
use argosy_outbound::{Class, Decision, Repeat};

use crate::{
    journal::{call, id, stack},
    vendor::{Act, Vendor, placed},
};

#[tokio::test]
async fn a_read_is_sent_as_it_is_without_a_key() {
    let vendor = Vendor::start([placed("7")]).await;
    let (result, report) = stack(&vendor).read(call(Repeat::Never)).await;
    assert_eq!(result.unwrap(), id("7"));
    assert_eq!((report.tries, report.repeat), (1, false));
    let received = vendor.received();
    assert_eq!(
        (
            received[0].body.as_str(),
            received[0].header("idempotency-key")
        ),
        ("own", None)
    );
}

#[tokio::test]
async fn a_read_is_repeated_whatever_its_class_says_of_effects() {
    let vendor = Vendor::start([Act::CutAfter, Act::CutAfter, placed("7")]).await;
    let (result, report) = stack(&vendor).read(call(Repeat::Never)).await;
    assert_eq!((result.unwrap(), report.tries), (id("7"), 3));
}

#[tokio::test]
async fn a_read_without_answer_waits_for_its_dependency() {
    let vendor = Vendor::start([Act::CutAfter]).await;
    let (result, report) = stack(&vendor).read(call(Repeat::Never)).await;
    let failure = result.unwrap_err();
    assert_eq!((failure.class, report.tries), (Some(Class::Ambiguous), 3));
    assert!(matches!(
        failure.decision,
        Decision::Wait(Waiting::Dependency(_), _)
    ));
}
