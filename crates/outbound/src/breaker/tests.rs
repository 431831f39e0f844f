//! The breaker against a clock made by hand.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::clock;

const LEASE: Duration = Duration::from_secs(10);

fn second(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn breaker() -> Breaker {
    let settings = BreakerSettings {
        faults_to_open: NonZeroU32::new(3).expect("3 is not zero"),
        open_min: second(1),
        open_max: second(4),
        trials_to_close: NonZeroU32::new(2).expect("2 is not zero"),
    };
    Breaker::new(settings, LEASE)
}

fn fail(breaker: &mut Breaker, now: Instant) -> Option<Turn> {
    let admission = breaker.admit(now).expect("the test asks when it may");
    breaker.finished(&admission, Verdict::Fault, now)
}

fn open(breaker: &mut Breaker, now: Instant) {
    let turns: Vec<_> = (0..3).filter_map(|_| fail(breaker, now)).collect();
    assert_eq!(turns, [Turn::Opened(second(1))]);
}

#[test]
fn faults_in_a_row_open_it_and_a_success_between_them_does_not_let_them() {
    let (mut breaker, now) = (breaker(), clock::now());
    for _ in 0..5 {
        assert_eq!(fail(&mut breaker, now), None);
        assert_eq!(fail(&mut breaker, now), None);
        let fine = breaker.admit(now).unwrap();
        assert_eq!(breaker.finished(&fine, Verdict::Healthy, now), None);
    }
    fail(&mut breaker, now);
    fail(&mut breaker, now);
    assert_eq!(fail(&mut breaker, now), Some(Turn::Opened(second(1))));
    assert_eq!(breaker.admit(now).unwrap_err(), second(1));
    assert_eq!(breaker.admits(now).unwrap_err(), second(1));
}

#[test]
fn a_refused_credential_opens_it_at_once() {
    let (mut breaker, now) = (breaker(), clock::now());
    let admission = breaker.admit(now).unwrap();
    assert_eq!(
        breaker.finished(&admission, Verdict::Unauthorized, now),
        Some(Turn::Opened(second(1)))
    );
}

#[test]
fn each_failed_trial_doubles_the_wait_up_to_its_limit() {
    let (mut breaker, mut now) = (breaker(), clock::now());
    open(&mut breaker, now);
    for (wait, next) in [(1, 2), (2, 4), (4, 4), (4, 4)] {
        assert!(
            breaker
                .admit(now + second(wait) - Duration::from_millis(1))
                .is_err()
        );
        now += second(wait);
        assert_eq!(fail(&mut breaker, now), Some(Turn::Opened(second(next))));
    }
}

#[test]
fn trials_ramp_up_and_close_it() {
    let (mut breaker, now) = (breaker(), clock::now());
    open(&mut breaker, now);
    let now = now + second(1);
    let first = breaker.admit(now).unwrap();
    assert_eq!(breaker.admit(now).unwrap_err(), HALF_OPEN_RECHECK);
    assert_eq!(breaker.finished(&first, Verdict::Healthy, now), None);
    let second_trial = breaker.admit(now).unwrap();
    let third = breaker.admit(now).unwrap();
    assert!(breaker.admit(now).is_err());
    assert_eq!(
        breaker.finished(&second_trial, Verdict::Healthy, now),
        Some(Turn::Closed)
    );
    assert_eq!(
        breaker.finished(&third, Verdict::Fault, now),
        None,
        "another generation's"
    );
    assert!((0..100).all(|_| breaker.admit(now).is_ok()));
}

#[test]
fn a_late_result_of_another_generation_changes_nothing() {
    let (mut breaker, now) = (breaker(), clock::now());
    let late = breaker.admit(now).unwrap();
    open(&mut breaker, now);
    assert_eq!(breaker.finished(&late, Verdict::Healthy, now), None);
    assert!(breaker.admit(now).is_err());
}

#[test]
fn a_trial_that_comes_to_nothing_gives_its_place_back() {
    let (mut breaker, now) = (breaker(), clock::now());
    open(&mut breaker, now);
    let now = now + second(1);
    let trial = breaker.admit(now).unwrap();
    breaker.abandoned(&trial);
    breaker.admit(now).unwrap();
    assert!(breaker.admit(now).is_err());
    assert!(breaker.admit(now + LEASE).is_ok(), "the lease expired");
}

#[test]
fn the_gate_keeps_a_trial_for_its_run_and_not_for_long() {
    let (mut breaker, now) = (breaker(), clock::now());
    open(&mut breaker, now);
    let now = now + second(1);
    assert_eq!(breaker.admits(now), Ok(()));
    assert_eq!(breaker.admits(now), Err(HALF_OPEN_RECHECK));
    assert_eq!(breaker.admits(now + RESERVED_FOR), Ok(()));
    assert!(breaker.admit(now + RESERVED_FOR).is_ok());
    assert_eq!(breaker.admits(now + RESERVED_FOR), Err(HALF_OPEN_RECHECK));
}

proptest! {
    /// Conserved: while half open, calls under way never exceed successes since, plus one; and time always helps.
    #[test]
    fn trials_never_outnumber_their_successes(steps in prop::collection::vec((0_u8..5, 0_u64..3_000), 1..300)) {
        let (mut breaker, mut now) = (breaker(), clock::now());
        let mut under_way = Vec::new();
        for (step, millis) in steps {
            now += Duration::from_millis(millis);
            match step {
                0 | 1 => under_way.extend(breaker.admit(now).ok()),
                2 => drop(breaker.admits(now)),
                _ => if let Some(admission) = under_way.pop() {
                    let verdict = if step == 3 { Verdict::Healthy } else { Verdict::Fault };
                    breaker.finished(&admission, verdict, now);
                },
            }
            if let State::HalfOpen { succeeded, leases, .. } = &breaker.state {
                prop_assert!(leases.len() <= *succeeded as usize + 1);
            }
        }
        prop_assert!(breaker.admit(now + Duration::from_secs(15)).is_ok());
    }
}
