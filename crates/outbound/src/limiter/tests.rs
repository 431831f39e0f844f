//! The limiter against a clock made by hand.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::clock;

fn rate(per_second: u32, burst: u32) -> Rate {
    let number = |number| NonZeroU32::new(number).expect("the test gives no zero");
    Rate {
        per_second: number(per_second),
        burst: number(burst),
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
    let now = clock::now();
    let mut limiter = Limiter::new(Some(rate(10, 3)), now);
    let waits: Vec<u128> = (0..5)
        .map(|_| limiter.take(1, now, SECOND).unwrap().as_millis())
        .collect();
    assert_eq!(waits, [0, 0, 0, 100, 200]);
}

#[test]
fn what_would_wait_too_long_is_refused_and_takes_nothing() {
    let now = clock::now();
    let mut limiter = Limiter::new(Some(rate(1, 1)), now);
    assert_eq!(limiter.take(1, now, SECOND), Ok(Duration::ZERO));
    assert_eq!(limiter.take(1, now, SECOND), Ok(SECOND));
    assert_eq!(limiter.take(1, now, SECOND), Err(2 * SECOND));
    assert_eq!(limiter.take(1, now, SECOND), Err(2 * SECOND));
    assert_eq!(limiter.take(1, now + SECOND, SECOND), Ok(SECOND));
}

#[test]
fn a_pause_holds_everything_back_and_a_shorter_one_does_not_end_it() {
    let now = clock::now();
    let mut limiter = Limiter::new(None, now);
    limiter.pause(now + 5 * SECOND);
    limiter.pause(now + SECOND);
    assert_eq!(limiter.wait(1, now), 5 * SECOND);
    assert_eq!(limiter.take(1, now, SECOND), Err(5 * SECOND));
    assert_eq!(
        limiter.take(1, now + 5 * SECOND, SECOND),
        Ok(Duration::ZERO)
    );
}

#[test]
fn a_call_that_costs_more_than_the_bucket_holds_goes_when_it_is_full() {
    let now = clock::now();
    let mut limiter = Limiter::new(Some(rate(10, 5)), now);
    assert_eq!(limiter.take(u32::MAX, now, SECOND), Ok(Duration::ZERO));
    assert_eq!(
        limiter.take(0, now, SECOND),
        Ok(Duration::from_millis(100)),
        "and nothing is free"
    );
}

proptest! {
    /// Conserved: in any span between two calls, tokens ≤ burst + rate × span.
    #[test]
    fn no_span_has_more_tokens_than_it_yields(
        per_second in 1_u32..50,
        burst in 1_u32..20,
        asks in prop::collection::vec((0_u64..500, 1_u32..5), 1..100),
    ) {
        let start = clock::now();
        let (mut limiter, mut now) = (Limiter::new(Some(rate(per_second, burst)), start), start);
        let mut gone: Vec<(Instant, u32)> = Vec::new();
        for (millis, cost) in asks {
            now += Duration::from_millis(millis);
            let cost = cost.min(burst);
            if let Ok(wait) = limiter.take(cost, now, SECOND) {
                gone.push((now + wait, cost));
            }
        }
        for first in 0..gone.len() {
            let mut tokens = 0;
            for (at, cost) in &gone[first..] {
                tokens += cost;
                let yields = f64::from(per_second) * (*at - gone[first].0).as_secs_f64();
                prop_assert!(f64::from(tokens) <= f64::from(burst) + yields + 0.001);
            }
        }
    }
}
