//! The retry schedule keeps its bounds for any policy and any draw.

use std::time::Duration;

use argosy_kernel::{RetryPolicy, retry::next_wait};
use proptest::prelude::*;

fn policy(base: Duration, wait_max: Duration) -> RetryPolicy {
    RetryPolicy {
        attempts_max: 5,
        base,
        wait_max,
        age_max: Duration::from_secs(3_600),
    }
}

#[test]
fn the_first_wait_is_between_base_and_three_times_base() {
    let policy = policy(Duration::from_millis(200), Duration::from_secs(60));
    assert_eq!(
        next_wait(&policy, Duration::ZERO, 0),
        Duration::from_millis(200)
    );
    assert_eq!(
        next_wait(&policy, Duration::ZERO, u64::MAX),
        Duration::from_millis(600)
    );
}

#[test]
fn waits_can_grow_threefold_up_to_the_longest() {
    let policy = policy(Duration::from_millis(200), Duration::from_secs(1));
    let second = next_wait(&policy, Duration::from_millis(300), u64::MAX);
    assert_eq!(second, Duration::from_millis(900));
    assert_eq!(next_wait(&policy, second, u64::MAX), Duration::from_secs(1));
}

#[test]
fn draws_spread_the_waits() {
    let policy = policy(Duration::from_millis(100), Duration::from_secs(60));
    let draws = (0..16).map(|draw| next_wait(&policy, Duration::from_secs(1), draw << 60));
    let waits: Vec<Duration> = draws.collect();
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
}

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<u64>().prop_map(Duration::from_nanos),
        any::<u32>().prop_map(|seconds| Duration::from_secs(u64::from(seconds))),
        Just(Duration::ZERO),
        Just(Duration::MAX),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_wait_is_never_below_base_nor_above_the_longest_nor_three_times_the_last(
        base in durations(),
        wait_max in durations(),
        previous in durations(),
        random: u64,
    ) {
        let policy = policy(base, wait_max);
        let wait = next_wait(&policy, previous, random);
        prop_assert!(wait >= base.min(wait_max));
        prop_assert!(wait <= wait_max);
        prop_assert!(wait <= previous.max(base).saturating_mul(3));
    }
}
