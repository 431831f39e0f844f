//! Attempts, deferrals, deadlines: what a run's end costs its record.

use std::time::Duration;

use argosy_kernel::{Abort, Death, LaneState, PumpConfig, RetryPolicy, RunEnd, Settle, Waiting};

use crate::{seen::*, world::*};

fn attempts(attempts_max: u32) -> PumpConfig {
    let config = config();
    PumpConfig {
        retry: RetryPolicy {
            attempts_max,
            ..config.retry
        },
        ..config
    }
}

/// Runs a failed record's wait out and returns what came of it.
fn pass_the_wait(world: &mut World) -> Vec<Act> {
    let LaneState::Waiting { until, .. } = world.lane("a").state else {
        panic!("the lane waits");
    };
    world.now = until;
    world.on(argosy_kernel::Input::Tick)
}

#[test]
fn a_failed_record_runs_again_until_its_attempts_are_spent() {
    let mut world = World::owning(attempts(3), &[P0]);
    world.deliver("a", 0..2);
    for spent in 1..3 {
        assert!(letters(&world.finish(0, failed())).is_empty());
        let actions = pass_the_wait(&mut world);
        let run = &dispatches(&actions).next().unwrap().records;
        assert_eq!(run.len(), 1, "a retry goes alone");
        assert_eq!(run[0].attempts, spent);
    }
    let actions = world.finish(0, failed());
    assert_eq!(letters(&actions), [(0, Death::Attempts, 3, Some("fault"))]);
    let actions = world.dead_lettered(0, Ok(()));
    assert_eq!(settled(&actions), [(0, Settle::Dead(Death::Attempts))]);
    assert_eq!(
        runs(&actions),
        [[1]],
        "the next record starts with a fresh count"
    );
    assert_eq!(dispatches(&actions).next().unwrap().records[0].attempts, 0);
}

#[test]
fn a_retry_is_never_early() {
    let mut world = World::owning(attempts(100), &[P0]);
    world.deliver("a", [0]);
    for _ in 0..20 {
        world.finish(0, failed());
        let LaneState::Waiting { until, cause } = world.lane("a").state else {
            panic!("the lane waits");
        };
        assert_eq!(cause, Waiting::Retry);
        let wait = until.since(world.now);
        assert!(
            wait >= millis(200) && wait <= Duration::from_secs(60),
            "{wait:?}"
        );
        assert!(runs(&world.pass(wait - Duration::from_nanos(1))).is_empty());
        assert_eq!(runs(&world.pass(Duration::from_nanos(1))), [[0]]);
    }
}

#[test]
fn a_vendors_wish_wins_over_the_schedule() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    let actions = world.finish(0, failed_until(Duration::from_secs(300)));
    assert_eq!(
        waits(&actions),
        [(0, "retry".into(), Duration::from_secs(300))]
    );
}

#[test]
fn a_deferral_spends_no_attempt_however_often() {
    let mut world = World::owning(attempts(2), &[P0]);
    world.deliver("a", [0]);
    for _ in 0..50 {
        assert!(letters(&world.finish(0, deferred("shop", Duration::from_secs(600)))).is_empty());
        let actions = world.pass(Duration::from_secs(600));
        assert_eq!(dispatches(&actions).next().unwrap().records[0].attempts, 0);
    }
    assert!(
        letters(&world.finish(0, failed())).is_empty(),
        "what it waited is no age"
    );
}

#[test]
fn a_wait_is_told_once_per_change_of_cause() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    let mut told = Vec::new();
    for dependency in ["shop", "shop", "mail", "shop"] {
        let actions = world.finish(0, deferred(dependency, millis(10)));
        told.extend(waits(&actions).into_iter().map(|(_, cause, _)| cause));
        world.pass(millis(10));
    }
    assert_eq!(
        told,
        ["dependency(shop)", "dependency(mail)", "dependency(shop)"]
    );
}

#[test]
fn a_wait_of_nothing_does_not_spin() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    let actions = world.finish(0, deferred("shop", Duration::ZERO));
    assert!(runs(&actions).is_empty());
    assert_eq!(runs(&world.pass(millis(1))), [[0]]);
}

#[test]
fn a_record_past_its_age_is_dead_at_its_next_failure() {
    let mut world = World::owning(attempts(1_000), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, failed_until(Duration::from_secs(3_601)));
    pass_the_wait(&mut world);
    let actions = world.finish(0, failed());
    assert_eq!(letters(&actions), [(0, Death::Deadline, 2, Some("fault"))]);
}

#[test]
fn a_run_past_its_deadline_is_aborted_once() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..2);
    assert!(aborts(&world.pass(Duration::from_secs(59))).is_empty());
    assert_eq!(
        aborts(&world.pass(Duration::from_secs(1))),
        [(0, Abort::Deadline)]
    );
    assert!(aborts(&world.pass(Duration::from_secs(60))).is_empty());
}

#[test]
fn a_run_that_was_told_to_stop_is_not_told_again_for_another_reason() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.pass(Duration::from_secs(60));
    world.revoke(1, &[P0]);
    assert!(aborts(&world.pass(Duration::from_secs(5))).is_empty());
    assert!(aborts(&world.lose(&[P0])).is_empty());
}

#[test]
fn each_record_of_a_dispatch_has_a_deadline_of_its_own() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..3);
    world.pass(Duration::from_secs(50));
    world.finish(0, DONE);
    assert!(aborts(&world.pass(Duration::from_secs(50))).is_empty());
    assert_eq!(
        aborts(&world.pass(Duration::from_secs(10))),
        [(1, Abort::Deadline)]
    );
    world.finish(1, DONE);
    assert!(aborts(&world.pass(Duration::from_secs(59))).is_empty());
    assert_eq!(
        aborts(&world.pass(Duration::from_secs(1))),
        [(2, Abort::Deadline)]
    );
}

#[test]
fn overrunning_inside_a_call_is_a_deferral() {
    let mut world = World::owning(attempts(1), &[P0]);
    world.deliver("a", [0]);
    world.pass(Duration::from_secs(60));
    let actions = world.finish(0, dropped(true));
    assert_eq!(
        waits(&actions),
        [(0, "claimed".into(), Duration::from_secs(1))]
    );
    let actions = world.pass(Duration::from_secs(1));
    assert_eq!(dispatches(&actions).next().unwrap().records[0].attempts, 0);
}

#[test]
fn overrunning_elsewhere_is_an_attempt() {
    let mut world = World::owning(attempts(1), &[P0]);
    world.deliver("a", [0]);
    world.pass(Duration::from_secs(60));
    let actions = world.finish(0, dropped(false));
    assert_eq!(
        letters(&actions),
        [(0, Death::Deadline, 1, Some("dropped"))]
    );
}

#[test]
fn a_run_that_ended_just_before_its_abort_counts_as_it_ended() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..2);
    world.pass(Duration::from_secs(60));
    assert_eq!(settled(&world.finish(0, DONE)), [(0, Settle::Done)]);
    // The hand-over was closed by the abort: the second record was not started, and runs anew.
    assert_eq!(runs(&world.finish(1, dropped(false))), [[1]]);
    let state = world.lane("a").state;
    assert!(matches!(state, LaneState::Running { .. }), "{state:?}");
}

#[test]
fn a_record_that_is_dead_by_its_handlers_word_spends_no_further_attempt() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    let end = RunEnd::Dead {
        cause: Death::Invalid,
        residue: "fault",
    };
    assert_eq!(
        letters(&world.finish(0, end)),
        [(0, Death::Invalid, 1, Some("fault"))]
    );
}

#[test]
fn the_last_attempts_own_cause_is_the_cause_of_death() {
    let mut world = World::owning(attempts(1), &[P0]);
    world.deliver("a", [0]);
    let end = RunEnd::Failed {
        cause: Death::Panicked,
        retry_after: None,
        residue: "panic",
    };
    assert_eq!(
        letters(&world.finish(0, end)),
        [(0, Death::Panicked, 1, Some("panic"))]
    );
}

#[test]
fn a_skipped_run_settles_as_skipped() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    let actions = world.finish(0, RunEnd::Skipped("outdated"));
    assert_eq!(settled(&actions), [(0, Settle::Skipped("outdated"))]);
}

#[test]
fn only_the_failing_key_waits() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.deliver("b", [1]);
    world.finish(0, failed());
    world.finish(1, DONE);
    assert_eq!(runs(&world.deliver("b", [2])), [[2]]);
    assert!(runs(&world.deliver("a", [3])).is_empty());
}
