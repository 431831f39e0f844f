//! Nothing runs before the partition is ours by the store; nothing counts after it is lost.

use argosy_kernel::{Abort, Assignment, CommitResult, Epoch, Input, Waiting};

use crate::{seen::*, world::*};

fn not_owned(world: &mut World) -> Vec<Act> {
    world.on(Input::NotOwned {
        partition: P0,
        assignment: world.assignment(),
        cause: Waiting::Dependency("store".into()),
    })
}

#[test]
fn an_assignment_asks_for_the_owner_row_of_each_partition() {
    let mut world = World::new(config());
    assert_eq!(takes_owner(&world.assign(&[P0, P1])), [P0, P1]);
    let assigned: Vec<_> = world.pump.assigned().collect();
    assert_eq!(assigned, [(P0, Assignment(1)), (P1, Assignment(1))]);
}

#[test]
fn records_that_come_before_the_owner_row_wait_for_it() {
    let mut world = World::new(config());
    world.assign(&[P0]);
    assert!(world.deliver("a", 0..2).is_empty());
    assert!(world.records(vec![foreign(P0, 2)]).is_empty());
    assert_eq!(
        world.pump.held_back(P0),
        Some(Waiting::Unassigned(Assignment(1)))
    );
    assert_eq!(world.pump.held(P0).records, 3);
    let actions = world.own(P0, 7, None);
    assert_eq!(dispatches(&actions).next().unwrap().epoch, Epoch(7));
    assert_eq!(runs(&actions), [[0, 1]]);
    assert_eq!(settled(&actions).len(), 1, "the record that nobody wants");
    assert_eq!(world.pump.held_back(P0), None);
}

#[test]
fn a_refused_owner_row_is_asked_for_again_and_its_cause_is_visible() {
    let mut world = World::new(config());
    world.assign(&[P0]);
    world.deliver("a", [0]);
    assert!(not_owned(&mut world).is_empty());
    assert_eq!(
        world.pump.held_back(P0),
        Some(Waiting::Dependency("store".into()))
    );
    assert!(takes_owner(&world.pass(millis(499))).is_empty());
    assert_eq!(takes_owner(&world.pass(millis(1))), [P0]);
    assert_eq!(runs(&world.own(P0, 1, None)), [[0]]);
}

#[test]
fn an_answer_for_an_older_assignment_is_ignored() {
    let mut world = World::new(config());
    world.assign(&[P0]);
    world.lose(&[P0]);
    world.assign(&[P0]);
    world.deliver("a", [0]);
    let old = Input::Owned {
        partition: P0,
        assignment: Assignment(1),
        epoch: Epoch(1),
        committed: None,
        parked: argosy_kernel::ParkedState::default(),
    };
    assert!(world.on(old).is_empty());
    assert_eq!(runs(&world.own(P0, 2, None)), [[0]]);
}

#[test]
fn an_assignment_that_is_older_than_the_current_one_is_ignored() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    let again = Input::Assigned {
        assignment: Assignment(1),
        partitions: vec![P0],
    };
    assert!(world.on(again).is_empty());
    assert_eq!(world.pump.live_runs(P0), 1);
}

#[test]
fn records_below_the_committed_offset_are_clear_already() {
    let mut world = World::new(config());
    world.assign(&[P0]);
    world.deliver_keyless(0..5);
    assert_eq!(runs(&world.own(P0, 1, Some((3, "")))), [[3], [4]]);
    assert_eq!(world.pump.held(P0).records, 2);
    assert_eq!(world.frontier(), Some(3));
}

#[test]
fn nothing_is_committed_before_the_owner_row_is_ours() {
    let mut world = World::new(config());
    world.assign(&[P0]);
    world.records(vec![foreign(P0, 0)]);
    world.acknowledge();
    assert!(commits(&world.pass(millis(5_000))).is_empty());
}

#[test]
fn a_lost_partition_is_dropped_at_once_and_nothing_of_it_is_committed() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..3);
    world.finish(0, DONE);
    let actions = world.lose(&[P0]);
    assert_eq!(aborts(&actions), [(1, Abort::Lost), (2, Abort::Lost)]);
    assert!(commits(&world.acknowledge()).is_empty());
    assert!(commits(&world.pass(millis(5_000))).is_empty());
    assert_eq!(world.pump.live_runs(P0), 2);
    assert_eq!(world.pump.lanes().count(), 0);
}

#[test]
fn a_lost_partitions_publish_and_retry_are_forgotten() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver_keyless(0..2);
    world.finish(0, emits("routed"));
    world.finish(1, failed());
    world.lose(&[P0]);
    assert_eq!(world.pump.wake_at(), None);
    assert!(world.published(0, Ok(())).is_empty());
    assert!(world.pass(millis(120_000)).is_empty());
}

/// Scenario S7.
#[test]
fn an_end_under_an_old_assignment_does_not_touch_the_new_one() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    let old = world.at(P0, 0);
    world.lose(&[P0]);
    world.assign(&[P0]);
    world.own(P0, 2, None);
    world.deliver("a", [0]);
    let actions = world.finish_at(old, DONE);
    assert!(settled(&actions).is_empty());
    assert_eq!(
        runs(&actions),
        [[0]],
        "it runs anew, once the old run has ended"
    );
    assert!(commits(&world.acknowledge()).is_empty());
    assert!(world.finish_at(old, DONE).is_empty());
    assert_eq!(settled(&world.finish(0, DONE)).len(), 1);
}

#[test]
fn an_acknowledgement_of_an_old_assignments_step_clears_nothing() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, DONE);
    world.lose(&[P0]);
    world.assign(&[P0]);
    world.own(P0, 2, None);
    world.deliver("a", [0]);
    assert!(commits(&world.acknowledge()).is_empty());
    assert_eq!(world.frontier(), Some(0));
}

#[test]
fn a_commit_of_an_old_assignment_does_not_make_the_new_one_clean() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, DONE);
    world.acknowledge();
    world.lose(&[P0]);
    world.assign(&[P0]);
    world.own(P0, 2, None);
    world.deliver("a", [0]);
    world.finish(0, DONE);
    world.acknowledge();
    let actions = world.commit_ended(1, CommitResult::Accepted);
    assert!(commits(&actions).is_empty());
    assert_eq!(committed(&world.pass(millis(1_000))), Some(1));
}

#[test]
fn a_partition_that_came_back_runs_nothing_until_every_older_run_has_answered() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..2);
    world.deliver("b", [2]);
    let (a, b) = (world.at(P0, 0), world.at(P0, 2));
    let after_a = world.at(P0, 1);
    world.lose(&[P0]);
    world.assign(&[P0]);
    world.own(P0, 2, None);
    assert!(runs(&world.deliver("c", [0])).is_empty());
    assert!(runs(&world.finish_at(b, dropped(false))).is_empty());
    // The first run ended in time, and its dispatch may have gone on: that record is told to stop as well.
    let actions = world.finish_at(a, DONE);
    assert_eq!(aborts(&actions), [(1, Abort::Lost)]);
    assert!(runs(&actions).is_empty());
    assert_eq!(runs(&world.finish_at(after_a, dropped(false))), [[0]]);
    assert_eq!(world.pump.live_runs(P0), 1);
}

#[test]
fn runs_of_a_lost_partition_still_count_as_running() {
    let config = argosy_kernel::PumpConfig {
        running_max: 1,
        ..config()
    };
    let mut world = World::owning(config, &[P0, P1]);
    world.deliver("a", [0]);
    let old = world.at(P0, 0);
    world.lose(&[P0]);
    assert!(runs(&world.records(vec![record(P1, 5, key("a"))])).is_empty());
    assert_eq!(runs(&world.finish_at(old, dropped(true))), [[5]]);
}

/// Scenario S8.
#[test]
fn a_partition_that_stays_goes_on_when_another_is_lost() {
    let mut world = World::owning(config(), &[P0, P1]);
    world.deliver("a", [0]);
    world.records(vec![record(P1, 0, key("a")), record(P1, 1, key("b"))]);
    world.finish_at(world.at(P1, 1), DONE);
    world.lose(&[P0]);
    world.finish_at(world.at(P1, 0), DONE);
    let (_, offsets) = commits(&world.acknowledge()).pop().unwrap();
    assert_eq!(offsets, [(P1, 2, None)]);
}
