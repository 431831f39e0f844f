//! Rates, pauses, places and budgets.

use std::{num::NonZeroU32, time::Duration};

use argosy_kernel::Waiting;
use argosy_outbound::{Class, Decision, Rate, Repeat};
use futures_util::future::join_all;

use crate::{
    journal::{Memory, call, dependency, settings, stack, stack_of},
    vendor::{Act, Vendor, answer, placed},
};

fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

#[tokio::test]
async fn a_pause_that_the_vendor_asks_for_stops_all_calls_to_it() {
    let vendor = Vendor::start([answer(429, "Retry-After: 60\r\n", "")]).await;
    let stack = stack(&vendor);
    let (first, _) = stack.effect(call(Repeat::Never), Memory::new()).await;
    assert_eq!(
        first.unwrap_err().class,
        Some(Class::Throttled(Some(Duration::from_secs(60))))
    );
    let journal = Memory::new();
    let (second, report) = stack.effect(call(Repeat::Never), journal.shared()).await;
    let failure = second.unwrap_err();
    let Decision::Wait(Waiting::Quota(name), wait) = failure.decision else {
        panic!("{:?}", failure.decision)
    };
    assert_eq!(name, dependency().0);
    assert!(wait > Duration::from_secs(50), "{wait:?}");
    assert_eq!(
        (vendor.received().len(), journal.claims(), report.tries),
        (1, 0, 0)
    );
    let (cause, wait) = stack.admits(&dependency()).unwrap_err();
    assert!(matches!(cause, Waiting::Quota(_)) && wait > Duration::from_secs(50));
}

#[tokio::test]
async fn calls_beyond_the_rate_wait_shortly_or_end_their_run() {
    let vendor = Vendor::start([placed("7")]).await;
    let mut settings = settings(&vendor);
    settings.rate = Some(Rate {
        per_second: number(2),
        burst: number(2),
    });
    let (stack, _) = stack_of(settings);
    let calls = (0..6).map(|_| stack.effect(call(Repeat::Never), Memory::new()));
    let ended: Vec<_> = join_all(calls)
        .await
        .into_iter()
        .map(|(result, _)| result)
        .collect();
    let refused = ended.iter().filter_map(|result| result.as_ref().err());
    let refused: Vec<_> = refused.map(|failure| &failure.decision).collect();
    assert_eq!(
        (vendor.received().len(), refused.len()),
        (4, 2),
        "2 at once, 2 within a second"
    );
    assert!(
        refused
            .iter()
            .all(|decision| matches!(decision, Decision::Wait(Waiting::Quota(_), _)))
    );
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_are_allowed() {
    let vendor = Vendor::start([Act::Wait(String::new())]).await;
    let mut settings = settings(&vendor);
    settings.concurrent_max = number(1);
    let (stack, _) = stack_of(settings);
    let first = stack.effect(call(Repeat::Never), Memory::new());
    let second = async {
        vendor.until_received(1).await;
        let second = stack.effect(call(Repeat::Never), Memory::new()).await;
        vendor.let_go();
        second
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.0.unwrap_err().class, Some(Class::Ambiguous));
    assert!(matches!(
        second.0.unwrap_err().decision,
        Decision::Wait(Waiting::Quota(_), _)
    ));
    assert_eq!(vendor.received().len(), 1);
}

/// Conserved: what is sent in all ≤ calls + what the bucket pays for.
#[tokio::test]
async fn when_everything_fails_a_call_costs_at_most_a_fifth_more_than_one_try() {
    let vendor = Vendor::start([answer(503, "", "")]).await;
    let mut settings = settings(&vendor);
    settings.breaker.faults_to_open = number(u32::MAX);
    let (stack, _) = stack_of(settings);
    let calls = (0..200).map(|_| stack.effect(call(Repeat::Natural), Memory::new()));
    let tries: u32 = join_all(calls)
        .await
        .iter()
        .map(|(_, report)| report.tries)
        .sum();
    assert_eq!(vendor.received().len(), tries as usize);
    assert!((201..=240).contains(&tries), "{tries} tries of 200 calls");
}
