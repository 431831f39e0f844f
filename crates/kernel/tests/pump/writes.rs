//! Events and dead letters are acknowledged before their record settles.

use argosy_kernel::{Death, RunEnd, Settle, WriteFault};

use crate::{seen::*, world::*};

#[test]
fn a_record_settles_only_after_its_events_are_acknowledged() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..2);
    let actions = world.finish(0, emits("routed"));
    assert_eq!(publishes(&actions), [(0, "routed")]);
    assert!(settled(&actions).is_empty());
    assert!(runs(&actions).is_empty(), "the lane waits for the write");
    let actions = world.published(0, Ok(()));
    assert_eq!(settled(&actions), [(0, Settle::Done)]);
    assert_eq!(runs(&actions), [[1]]);
}

#[test]
fn a_publish_that_fails_is_repeated_without_a_run() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, emits("routed"));
    for round in 0..3 {
        let actions = world.published(0, Err(WriteFault::Unavailable));
        let told: Vec<_> = waits(&actions)
            .into_iter()
            .map(|(_, cause, _)| cause)
            .collect();
        assert_eq!(told.is_empty(), round > 0, "told once");
        let actions = world.pass(millis(500));
        assert!(runs(&actions).is_empty());
        assert_eq!(publishes(&actions), [(0, "routed")]);
    }
    assert_eq!(settled(&world.published(0, Ok(()))), [(0, Settle::Done)]);
}

#[test]
fn events_that_the_broker_will_never_take_are_a_death() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, emits("too large"));
    let actions = world.published(0, Err(WriteFault::Rejected));
    assert_eq!(letters(&actions), [(0, Death::EmitRejected, 1, None)]);
}

#[test]
fn a_dead_letter_is_written_until_it_is_acknowledged() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..2);
    let end = RunEnd::Dead {
        cause: Death::Refused,
        residue: "fault",
    };
    world.finish(0, end);
    for fault in [WriteFault::Unavailable, WriteFault::Rejected] {
        let actions = world.dead_lettered(0, Err(fault));
        assert!(settled(&actions).is_empty());
        let actions = world.pass(millis(500));
        assert_eq!(letters(&actions), [(0, Death::Refused, 1, Some("fault"))]);
    }
    let actions = world.dead_lettered(0, Ok(()));
    assert_eq!(settled(&actions), [(0, Settle::Dead(Death::Refused))]);
    assert_eq!(runs(&actions), [[1]]);
}

#[test]
fn a_write_that_hangs_holds_back_its_own_lane_alone() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    world.finish(0, emits("routed"));
    assert_eq!(runs(&world.deliver("b", [1])), [[1]]);
    assert!(runs(&world.deliver("a", [2])).is_empty());
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", [0]);
    assert!(world.published(0, Ok(())).is_empty());
    assert!(world.dead_lettered(0, Ok(())).is_empty());
    world.finish(0, emits("routed"));
    assert!(world.dead_lettered(0, Ok(())).is_empty());
    world.published(0, Ok(()));
    assert!(world.published(0, Ok(())).is_empty());
    assert!(world.finish(0, DONE).is_empty());
}

#[test]
fn a_dispatch_ends_with_the_record_that_emits() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..3);
    world.finish(0, emits("routed"));
    assert!(world.finish(1, DONE).is_empty(), "it was never started");
    assert_eq!(runs(&world.published(0, Ok(()))), [[1, 2]]);
}
