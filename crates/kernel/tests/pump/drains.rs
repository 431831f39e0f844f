//! Giving partitions back: asked for by the broker, or all of them at shutdown.

use std::time::Duration;

use argosy_kernel::{Abort, CommitResult, Input, Settle, Waiting};

use crate::{seen::*, world::*};

/// Scenarios S1 and S4, as far as the pump decides them.
#[test]
fn a_revoke_waits_for_the_running_handler_commits_and_lets_go() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.finish(1, DONE);
    world.acknowledge();
    world.commit_ended(1, CommitResult::Accepted);
    assert!(world.revoke(9, &[P0]).is_empty());
    assert_eq!(world.pump.held_back(P0), Some(Waiting::Draining));
    assert_eq!(settled(&world.finish(0, DONE)), [(0, Settle::Done)]);
    let actions = world.acknowledge();
    assert_eq!(commits(&actions), [(2, vec![(P0, 2, None)])]);
    assert!(let_gos(&actions).is_empty());
    assert_eq!(let_gos(&world.commit_ended(2, CommitResult::Accepted)), [9]);
    assert!(world.pump.assigned().next().is_none());
    assert_eq!(world.pump.wake_at(), None);
}

#[test]
fn whatever_becomes_of_the_last_commit_the_partition_is_let_go() {
    for result in [CommitResult::Stale, CommitResult::Failed] {
        let mut world = World::owning(config(), &[P0]);
        world.deliver("a", [0]);
        world.revoke(1, &[P0]);
        world.finish(0, DONE);
        world.acknowledge();
        assert_eq!(let_gos(&world.commit_ended(1, result)), [1]);
    }
}

#[test]
fn a_last_commit_whose_map_is_too_large_is_repeated_without_it() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.deliver("b", [1]);
    world.finish(0, failed());
    world.revoke(1, &[P0]);
    world.finish(1, DONE);
    world.acknowledge();
    let actions = world.commit_ended(1, CommitResult::MetadataTooLarge);
    assert_eq!(commits(&actions), [(2, vec![(P0, 0, None)])]);
    assert_eq!(let_gos(&world.commit_ended(2, CommitResult::Accepted)), [1]);
}

#[test]
fn a_partition_with_nothing_to_do_is_let_go_at_once() {
    let mut world = World::owning(config(), &[P0]);
    assert_eq!(let_gos(&world.revoke(1, &[P0])), [1]);
}

#[test]
fn a_partition_that_was_never_owned_is_let_go_at_once() {
    let mut world = World::new(config());
    world.assign(&[P0]);
    world.deliver("a", [0]);
    assert_eq!(let_gos(&world.revoke(1, &[P0])), [1]);
    assert!(world.own(P0, 1, None).is_empty());
}

#[test]
fn a_partition_that_is_not_ours_is_let_go_at_once() {
    let mut world = World::new(config());
    assert_eq!(let_gos(&world.revoke(1, &[P0, P1])), [1]);
    assert_eq!(let_gos(&world.revoke(2, &[])), [2]);
}

/// Scenario S10.
#[test]
fn a_draining_partition_takes_no_new_work() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..9);
    world.revoke(1, &[P0]);
    assert!(world.deliver("b", [9]).is_empty());
    assert_eq!(
        world.pump.held(P0).records,
        9,
        "what comes now is its next owner's"
    );
    // The gate is closed: the records that were handed over and not started come back.
    world.finish(0, DONE);
    assert!(runs(&world.finish(1, dropped(false))).is_empty());
    let actions = world.acknowledge();
    assert_eq!(committed(&actions), Some(1));
    assert_eq!(let_gos(&world.commit_ended(1, CommitResult::Accepted)), [1]);
}

/// Scenario S8.
#[test]
fn a_partition_that_stays_keeps_working_while_another_drains() {
    let mut world = World::owning(config(), &[P0, P1]);
    world.deliver("a", [0]);
    world.revoke(1, &[P0]);
    assert_eq!(runs(&world.records(vec![record(P1, 0, key("a"))])), [[0]]);
    world.finish_at(world.at(P1, 0), DONE);
    assert_eq!(runs(&world.records(vec![record(P1, 1, key("a"))])), [[1]]);
    world.finish(0, dropped(false));
    let assigned: Vec<_> = world.pump.assigned().map(|(p, _)| p).collect();
    assert_eq!(assigned, [P1]);
}

#[test]
fn a_drain_lets_publishes_and_dead_letters_finish() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.revoke(1, &[P0]);
    assert_eq!(publishes(&world.finish(0, emits("routed"))).len(), 1);
    let dead = argosy_kernel::RunEnd::Dead {
        cause: argosy_kernel::Death::Invalid,
        residue: "fault",
    };
    assert_eq!(letters(&world.finish(1, dead)).len(), 1);
    world.published(0, Ok(()));
    world.dead_lettered(1, Ok(()));
    assert_eq!(committed(&world.acknowledge()), Some(2));
}

#[test]
fn at_the_end_of_the_budget_handlers_are_dropped_and_the_answer_waits_for_them() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..3);
    world.finish(2, emits("routed"));
    world.revoke(1, &[P0]);
    assert!(aborts(&world.pass(millis(4_999))).is_empty());
    let actions = world.pass(millis(1));
    assert_eq!(aborts(&actions), [(0, Abort::Drain), (1, Abort::Drain)]);
    assert!(let_gos(&world.pass(Duration::from_secs(600))).is_empty());
    assert!(let_gos(&world.finish(0, dropped(true))).is_empty());
    assert!(world.published(2, Ok(())).is_empty(), "given up");
    assert_eq!(let_gos(&world.finish(1, dropped(false))), [1]);
}

#[test]
fn a_run_that_ends_well_after_its_abort_still_counts() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..2);
    world.revoke(1, &[P0]);
    world.pass(millis(5_000));
    let actions = world.finish(0, DONE);
    assert_eq!(settled(&actions), [(0, Settle::Done)]);
    assert_eq!(
        aborts(&actions),
        [(1, Abort::Drain)],
        "its dispatch had gone on"
    );
    world.finish(1, dropped(false));
    assert_eq!(committed(&world.acknowledge()), Some(1));
}

#[test]
fn after_the_budget_no_write_begins() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.revoke(1, &[P0]);
    world.pass(millis(5_000));
    let actions = world.finish(0, emits("routed"));
    assert!(publishes(&actions).is_empty());
    assert_eq!(let_gos(&actions), [1]);
}

#[test]
fn acknowledgements_and_the_last_commit_are_waited_for_no_longer_than_a_second_each() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.finish(0, DONE);
    world.acknowledge();
    world.finish(1, DONE);
    world.revoke(1, &[P0]);
    assert!(
        let_gos(&world.pass(millis(5_999))).is_empty(),
        "the step of 1 is not acknowledged"
    );
    assert!(
        let_gos(&world.pass(millis(1))).is_empty(),
        "the commit is not answered"
    );
    assert_eq!(let_gos(&world.pass(millis(1_000))), [1]);
}

#[test]
fn a_wait_for_acknowledgements_that_never_come_ends_and_commits_what_is_clear() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.finish(0, DONE);
    world.acknowledge();
    world.commit_ended(1, CommitResult::Failed);
    world.finish(1, DONE);
    world.revoke(1, &[P0]);
    world.now = world.now.plus(millis(6_000));
    let actions = world.on(Input::Tick);
    assert_eq!(committed(&actions), Some(1));
    assert_eq!(let_gos(&world.commit_ended(2, CommitResult::Accepted)), [1]);
}

#[test]
fn a_revoke_that_meets_a_commit_on_its_way_waits_for_it() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.finish(0, DONE);
    assert_eq!(commits(&world.acknowledge()).len(), 1);
    world.revoke(1, &[P0]);
    world.finish(1, DONE);
    assert!(world.acknowledge().is_empty());
    let actions = world.commit_ended(1, CommitResult::Accepted);
    assert_eq!(commits(&actions), [(2, vec![(P0, 2, None)])]);
    assert_eq!(let_gos(&world.commit_ended(2, CommitResult::Accepted)), [1]);
}

#[test]
fn a_partition_that_is_lost_while_it_drains_still_gets_its_answer() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.revoke(1, &[P0]);
    let actions = world.lose(&[P0]);
    assert_eq!(aborts(&actions), [(0, Abort::Lost)]);
    assert!(let_gos(&actions).is_empty(), "its handler is live");
    assert_eq!(let_gos(&world.finish(0, dropped(false))), [1]);
}

#[test]
fn each_of_several_revokes_is_answered_once() {
    let mut world = World::owning(config(), &[P0, P1]);
    world.deliver("a", [0]);
    world.records(vec![record(P1, 0, key("b"))]);
    world.revoke(1, &[P0]);
    world.revoke(2, &[P0, P1]);
    assert_eq!(let_gos(&world.finish(0, dropped(false))), [1]);
    assert_eq!(
        let_gos(&world.finish_at(world.at(P1, 0), dropped(false))),
        [2]
    );
    assert!(let_gos(&world.pass(Duration::from_secs(60))).is_empty());
}

#[test]
fn of_two_drain_budgets_the_earlier_one_holds() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.on(Input::Shutdown);
    world.pass(millis(1_000));
    world.revoke(1, &[P0]);
    assert_eq!(aborts(&world.pass(millis(5_000))), [(0, Abort::Drain)]);
}

#[test]
fn a_retry_that_comes_due_while_its_partition_drains_does_not_run() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..3);
    world.finish(0, failed());
    world.finish(1, emits("routed"));
    world.published(1, Err(argosy_kernel::WriteFault::Unavailable));
    world.revoke(1, &[P0]);
    let actions = world.pass(millis(3_000));
    assert!(runs(&actions).is_empty());
    assert!(publishes(&actions).is_empty());
    assert_eq!(let_gos(&world.finish(2, dropped(false))), [1]);
}

/// Scenario S13.
#[test]
fn with_nothing_assigned_a_shutdown_leaves_at_once() {
    let mut world = World::new(config());
    assert_eq!(leaves(&world.on(Input::Shutdown)), 1);
    assert_eq!(leaves(&world.on(Input::Shutdown)), 0);
}

/// Scenario S11.
#[test]
fn at_shutdown_queued_work_is_not_run_and_work_that_gets_done_is_committed() {
    let config = argosy_kernel::PumpConfig {
        dispatch_records_max: 1,
        ..config()
    };
    let mut world = World::owning(config, &[P0]);
    world.deliver("a", 0..3);
    assert!(world.on(Input::Shutdown).is_empty());
    assert!(runs(&world.finish(0, DONE)).is_empty());
    assert_eq!(committed(&world.acknowledge()), Some(1));
    let actions = world.commit_ended(1, CommitResult::Accepted);
    assert_eq!(leaves(&actions), 1);
    assert_eq!(leaves(&world.pass(Duration::from_secs(60))), 0);
}

/// Scenario S12.
#[test]
fn a_handler_that_overruns_the_shutdown_is_aborted_and_not_committed() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.on(Input::Shutdown);
    assert!(aborts(&world.pass(millis(24_999))).is_empty());
    assert_eq!(aborts(&world.pass(millis(1))), [(0, Abort::Drain)]);
    let actions = world.finish(0, dropped(true));
    assert!(commits(&actions).is_empty());
    assert_eq!(leaves(&actions), 1);
}

/// Scenario S17, the pump's part.
#[test]
fn an_assignment_during_shutdown_is_not_taken_up() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.on(Input::Shutdown);
    assert!(world.assign(&[P1]).is_empty());
    assert_eq!(let_gos(&world.revoke(1, &[P1])), [1]);
}

#[test]
fn a_shutdown_waits_for_the_runs_of_a_lost_partition() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.lose(&[P0]);
    assert_eq!(leaves(&world.on(Input::Shutdown)), 0);
    assert_eq!(leaves(&world.finish(0, dropped(false))), 1);
}
