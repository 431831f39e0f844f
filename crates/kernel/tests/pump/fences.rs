//! A claim refused by its epoch: only a commit can tell whether the partition is still ours.

use argosy_kernel::{Abort, CommitResult, Epoch, LaneState, RunEnd, Settle};

use crate::{seen::*, world::*};

/// A world in which offset 0 is fenced while offset 1 runs.
fn fenced() -> (World, Vec<Act>) {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..3);
    world.finish(2, DONE);
    world.acknowledge();
    world.commit_ended(1, CommitResult::Accepted);
    let actions = world.finish(0, RunEnd::Fenced);
    (world, actions)
}

#[test]
fn a_fenced_partition_stops_its_runs_and_commits_to_learn_whether_it_is_still_ours() {
    let (mut world, actions) = fenced();
    assert_eq!(aborts(&actions), [(1, Abort::Lost)]);
    assert_eq!(commits(&actions).len(), 1, "also though nothing changed");
    assert_eq!(committed(&actions), Some(0));
    assert!(runs(&actions).is_empty());
    assert!(runs(&world.deliver_keyless([3])).is_empty());
}

#[test]
fn accepted_it_takes_the_partition_again_and_the_fenced_run_was_no_attempt() {
    let (mut world, _) = fenced();
    assert_eq!(
        takes_owner(&world.commit_ended(2, CommitResult::Accepted)),
        [P0]
    );
    assert!(
        runs(&world.own(P0, 3, None)).is_empty(),
        "an older run is live"
    );
    let actions = world.finish(1, dropped(true));
    assert_eq!(runs(&actions), [[0], [1]]);
    for dispatch in dispatches(&actions) {
        assert_eq!(dispatch.epoch, Epoch(3));
        assert_eq!(dispatch.records[0].attempts, 0);
    }
}

#[test]
fn refused_it_asks_again_until_it_knows() {
    let (mut world, _) = fenced();
    for result in [CommitResult::Stale, CommitResult::Failed] {
        let commit = if result == CommitResult::Stale { 2 } else { 3 };
        assert!(takes_owner(&world.commit_ended(commit, result)).is_empty());
        assert!(commits(&world.pass(millis(999))).is_empty());
        assert_eq!(commits(&world.pass(millis(1))).len(), 1);
    }
    assert_eq!(
        takes_owner(&world.commit_ended(4, CommitResult::Accepted)),
        [P0]
    );
}

#[test]
fn a_commit_that_was_out_before_the_fence_proves_nothing() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.finish(1, DONE);
    assert_eq!(commits(&world.acknowledge()).len(), 1);
    assert!(
        commits(&world.finish(0, RunEnd::Fenced)).is_empty(),
        "one at a time"
    );
    let actions = world.commit_ended(1, CommitResult::Accepted);
    assert!(takes_owner(&actions).is_empty());
    assert_eq!(commits(&actions).len(), 1);
    assert_eq!(
        takes_owner(&world.commit_ended(2, CommitResult::Accepted)),
        [P0]
    );
}

#[test]
fn lost_after_the_fence_it_is_over() {
    let (mut world, _) = fenced();
    world.lose(&[P0]);
    assert!(takes_owner(&world.commit_ended(2, CommitResult::Accepted)).is_empty());
    assert!(commits(&world.pass(millis(10_000))).is_empty());
}

#[test]
fn asked_back_after_the_fence_it_is_let_go() {
    let (mut world, _) = fenced();
    assert!(let_gos(&world.revoke(1, &[P0])).is_empty(), "a run is live");
    world.finish(1, dropped(false));
    assert!(world.pump.assigned().next().is_none());
    assert!(takes_owner(&world.commit_ended(2, CommitResult::Accepted)).is_empty());
}

#[test]
fn two_fenced_runs_are_one_fence() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.finish(0, RunEnd::Fenced);
    assert!(commits(&world.finish(1, RunEnd::Fenced)).is_empty());
    assert_eq!(
        takes_owner(&world.commit_ended(1, CommitResult::Accepted)),
        [P0]
    );
    assert_eq!(runs(&world.own(P0, 2, None)), [[0], [1]]);
}

#[test]
fn a_late_answer_with_the_old_epoch_does_not_open_the_partition() {
    let (mut world, _) = fenced();
    world.finish(1, dropped(false));
    world.commit_ended(2, CommitResult::Accepted);
    assert!(runs(&world.own(P0, 1, None)).is_empty());
    assert_eq!(runs(&world.own(P0, 2, None)).len(), 2);
}

#[test]
fn a_run_that_ended_before_the_fence_reached_it_settles_and_the_next_is_stopped() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..2);
    world.deliver("b", [2]);
    world.finish(2, RunEnd::Fenced);
    let actions = world.finish(0, DONE);
    assert_eq!(settled(&actions), [(0, Settle::Done)]);
    assert_eq!(aborts(&actions), [(1, Abort::Lost)]);
    world.finish(1, dropped(false));
    assert_eq!(world.lane("a").state, LaneState::Ready);
}

/// Between the proof and the owner row an instance may stand still for so long that its membership is gone.
#[test]
fn what_another_has_committed_before_the_partition_is_taken_again_is_clear() {
    let (mut world, _) = fenced();
    world.finish(1, dropped(false));
    world.commit_ended(2, CommitResult::Accepted);
    assert_eq!(runs(&world.own(P0, 3, Some((1, "")))), [[1]]);
    assert_eq!(world.pump.held(P0).records, 1);
    assert_eq!(world.frontier(), Some(1));
}

#[test]
fn what_this_pump_itself_committed_before_the_fence_changes_nothing() {
    let (mut world, _) = fenced();
    world.commit_ended(2, CommitResult::Accepted);
    world.own(P0, 3, Some((0, "a map of its own")));
    let actions = world.finish(1, DONE);
    assert_eq!(settled(&actions), [(1, Settle::Done)]);
    assert_eq!(runs(&actions), [[0]]);
}

#[test]
fn a_run_of_what_another_has_committed_counts_for_nothing_and_is_awaited() {
    let (mut world, _) = fenced();
    world.deliver_keyless([3]);
    world.commit_ended(2, CommitResult::Accepted);
    assert!(runs(&world.own(P0, 3, Some((2, "")))).is_empty());
    assert_eq!(world.pump.live_runs(P0), 1);
    assert_eq!(world.pump.held(P0).records, 1);
    let actions = world.finish(1, DONE);
    assert!(settled(&actions).is_empty());
    assert_eq!(runs(&actions), [[3]]);
}

#[test]
fn a_run_behind_what_another_has_committed_is_awaited_and_begun_anew() {
    let (mut world, _) = fenced();
    world.commit_ended(2, CommitResult::Accepted);
    assert!(runs(&world.own(P0, 3, Some((1, "")))).is_empty());
    let actions = world.finish(1, DONE);
    assert!(settled(&actions).is_empty());
    assert_eq!(runs(&actions), [[1]]);
    assert_eq!(settled(&world.finish(1, DONE)), [(1, Settle::Done)]);
}

#[test]
fn waits_and_writes_of_what_another_has_committed_are_over() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..2);
    world.deliver("b", 2..4);
    world.deliver("c", [4]);
    world.finish(0, emits("routed"));
    world.finish(2, failed());
    world.finish(4, RunEnd::Fenced);
    world.commit_ended(1, CommitResult::Accepted);
    let actions = world.own(P0, 2, Some((3, "")));
    assert_eq!(runs(&actions), [[4], [3]]);
    for dispatch in dispatches(&actions) {
        assert_eq!(dispatch.records[0].attempts, 0);
    }
    assert!(world.published(0, Ok(())).is_empty());
    assert_eq!(world.pump.held(P0).records, 2);
    assert_eq!(world.pump.lanes().count(), 2);
}

#[test]
fn an_intake_that_was_full_of_what_another_has_committed_is_open_again() {
    let config = argosy_kernel::PumpConfig {
        partition_records_max: 3,
        ..config()
    };
    let mut world = World::owning(config, &[P0]);
    world.deliver_keyless(0..3);
    world.finish(0, RunEnd::Fenced);
    world.finish(1, dropped(false));
    world.finish(2, dropped(false));
    world.commit_ended(1, CommitResult::Accepted);
    let actions = world.own(P0, 2, Some((3, "")));
    assert!(
        matches!(actions[..], [Act::ResumeIntake(P0)]),
        "{actions:?}"
    );
    assert_eq!(world.pump.lanes().count(), 0);
}
