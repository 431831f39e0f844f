//! The breaker as calls and gates meet it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use argosy_kernel::Waiting;
use argosy_outbound::{Class, Decision, Repeat, Stack};

use crate::{
    journal::{Memory, call, dependency, id, settings, stack, stack_of},
    vendor::{Act, Vendor, answer, placed},
};

/// Long enough to be still open when a busy machine looks.
const OPEN_MIN: Duration = Duration::from_secs(2);

fn quick(vendor: &Vendor) -> Arc<Stack> {
    let mut settings = settings(vendor);
    settings.breaker.faults_to_open = NonZeroU32::new(3).unwrap();
    settings.breaker.trials_to_close = NonZeroU32::new(1).unwrap();
    settings.breaker.open_min = OPEN_MIN;
    stack_of(settings).0
}

/// Until the gate lets a run start, as the scheduler asks it.
async fn until_admitted(stack: &Stack) {
    let admitted = async {
        while let Err((_, wait)) = stack.admits(&dependency()) {
            tokio::time::sleep(wait).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), admitted)
        .await
        .expect("an open breaker tries again");
}

#[tokio::test]
async fn a_vendor_that_is_down_is_left_alone_and_tried_again() {
    let vendor = Vendor::start([Act::CutAfter, Act::CutAfter, Act::CutAfter, placed("7")]).await;
    let stack = quick(&vendor);
    for _ in 0..3 {
        stack
            .effect(call(Repeat::Never), Memory::new())
            .await
            .0
            .unwrap_err();
    }
    let (cause, wait) = stack.admits(&dependency()).unwrap_err();
    assert_eq!(cause, Waiting::Dependency(dependency().0));
    assert!(wait <= OPEN_MIN);
    let journal = Memory::new();
    let (result, report) = stack.effect(call(Repeat::Never), journal.shared()).await;
    assert!(matches!(
        result.unwrap_err().decision,
        Decision::Wait(Waiting::Dependency(_), _)
    ));
    assert_eq!(
        (vendor.received().len(), journal.claims(), report.tries),
        (3, 0, 0),
        "no claim, no request"
    );
    until_admitted(&stack).await;
    assert_eq!(
        stack
            .effect(call(Repeat::Never), Memory::new())
            .await
            .0
            .unwrap(),
        id("7")
    );
    assert_eq!(
        stack
            .effect(call(Repeat::Never), Memory::new())
            .await
            .0
            .unwrap(),
        id("7")
    );
}

#[tokio::test]
async fn the_records_own_faults_never_open_it() {
    for status in [400, 402, 404, 409, 422] {
        let vendor = Vendor::start([answer(status, "", "")]).await;
        let stack = quick(&vendor);
        for _ in 0..10 {
            stack
                .effect(call(Repeat::Never), Memory::new())
                .await
                .0
                .unwrap_err();
        }
        assert_eq!(stack.admits(&dependency()), Ok(()), "{status}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_does_not_open_it() {
    for act in [
        answer(200, "", "no JSON"),
        answer(302, "location: /\r\n", ""),
    ] {
        let vendor = Vendor::start([act]).await;
        let stack = quick(&vendor);
        for _ in 0..10 {
            let (result, _) = stack.effect(call(Repeat::Never), Memory::new()).await;
            assert_eq!(result.unwrap_err().class, Some(Class::Ambiguous));
        }
        assert_eq!(stack.admits(&dependency()), Ok(()));
    }
}

#[tokio::test]
async fn a_refused_credential_opens_it_at_once() {
    let vendor = Vendor::start([answer(401, "", "")]).await;
    let stack = stack(&vendor);
    let (result, _) = stack.effect(call(Repeat::Never), Memory::new()).await;
    assert_eq!(result.unwrap_err().class, Some(Class::Unauthorized));
    assert!(stack.admits(&dependency()).is_err());
}

#[tokio::test]
async fn a_recorded_success_is_returned_while_the_vendor_is_down() {
    let vendor = Vendor::start([answer(401, "", "")]).await;
    let stack = stack(&vendor);
    stack
        .effect(call(Repeat::Never), Memory::new())
        .await
        .0
        .unwrap_err();
    let (result, _) = stack
        .effect(call(Repeat::Never), Memory::holding(r#"{"id":"old"}"#))
        .await;
    assert_eq!(result.unwrap(), id("old"));
}
