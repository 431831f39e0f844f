//! Lanes: one record of a key at a time, in order, and no key waits for another.

use std::collections::BTreeMap;

use argosy_kernel::{LaneKey, LaneState, Offset, Order, PumpConfig, Settle};

use crate::{seen::*, world::*};

fn one_at_a_time() -> PumpConfig {
    PumpConfig {
        dispatch_records_max: 1,
        ..config()
    }
}

/// Scenario K1.
#[test]
fn records_of_one_key_run_one_after_the_other_in_offset_order() {
    let mut world = World::owning(one_at_a_time(), &[P0]);
    assert_eq!(runs(&world.deliver("a", 0..3)), [[0]]);
    assert_eq!(runs(&world.finish(0, DONE)), [[1]]);
    assert_eq!(runs(&world.finish(1, DONE)), [[2]]);
    assert!(runs(&world.finish(2, DONE)).is_empty());
    assert_eq!(world.pump.lanes().count(), 0);
}

#[test]
fn consecutive_records_of_a_lane_are_handed_over_together_up_to_the_limit() {
    let mut world = World::owning(config(), &[P0]);
    assert_eq!(runs(&world.deliver("a", 0..10)), [[0, 1, 2, 3, 4, 5, 6, 7]]);
    for offset in 0..7 {
        let actions = world.finish(offset, DONE);
        assert!(runs(&actions).is_empty());
        assert_eq!(settled(&actions), [(offset, Settle::Done)]);
    }
    assert_eq!(runs(&world.finish(7, DONE)), [[8, 9]]);
}

#[test]
fn after_an_end_that_is_not_done_the_rest_of_the_dispatch_is_handed_over_again() {
    let mut world = World::owning(config(), &[P0]);
    world.deliver("a", 0..4);
    world.finish(0, DONE);
    world.finish(1, deferred("shop", millis(100)));
    assert!(
        runs(&world.finish(2, DONE)).is_empty(),
        "2 was never started"
    );
    assert_eq!(
        runs(&world.pass(millis(100))),
        [[1]],
        "what ran before goes alone"
    );
    assert_eq!(runs(&world.finish(1, DONE)), [[2, 3]]);
}

/// Scenario K7.
#[test]
fn a_hot_key_does_not_hold_back_others() {
    let mut world = World::owning(one_at_a_time(), &[P0]);
    world.deliver("hot", 0..50);
    assert_eq!(runs(&world.deliver("cold", [50])), [[50]]);
    assert_eq!(settled(&world.finish(50, DONE)), [(50, Settle::Done)]);
}

/// Scenario K2.
#[test]
fn lanes_are_recycled_over_a_rotating_key_space() {
    let mut world = World::owning(config(), &[P0]);
    for offset in 0..5_000 {
        assert_eq!(
            runs(&world.deliver(&format!("key-{offset}"), [offset])),
            [[offset]]
        );
        world.finish(offset, DONE);
        assert_eq!(world.pump.lanes().count(), 0);
    }
    assert_eq!(world.pump.held(P0).records, 0);
    assert_eq!(world.pump.held(P0).bytes, 0);
}

/// Scenario K3.
#[test]
fn a_record_without_a_key_is_its_own_lane() {
    let mut world = World::owning(config(), &[P0]);
    assert_eq!(runs(&world.deliver_keyless(0..3)), [[0], [1], [2]]);
}

#[test]
fn a_keyless_record_with_another_records_offset_is_still_its_own_lane() {
    let mut world = World::owning(config(), &[P0]);
    let keyless = |offset| record(P0, offset, LaneKey::Keyless(Offset(0)));
    assert_eq!(
        runs(&world.records(vec![keyless(0), keyless(1)])),
        [[0], [1]]
    );
}

/// Scenario K4.
#[test]
fn keys_of_equal_bytes_share_a_lane() {
    let mut world = World::owning(one_at_a_time(), &[P0]);
    assert_eq!(runs(&world.deliver("same", [0])), [[0]]);
    assert!(runs(&world.deliver("same", [1])).is_empty());
}

/// Scenario K5.
#[test]
fn one_key_in_two_topics_is_two_lanes() {
    let other = partition(1, 0);
    let mut world = World::owning(config(), &[P0, other]);
    world.deliver("a", [0]);
    assert_eq!(
        runs(&world.records(vec![record(other, 0, key("a"))])),
        [[0]]
    );
}

#[test]
fn a_whole_partition_is_one_lane_where_the_worker_says_so() {
    let order = Order::Partition;
    let mut world = World::owning(
        PumpConfig {
            order,
            ..one_at_a_time()
        },
        &[P0],
    );
    world.deliver("a", [0]);
    assert!(runs(&world.deliver("b", [1])).is_empty());
    assert_eq!(runs(&world.finish(0, DONE)), [[1]]);
}

#[test]
fn every_record_is_its_own_lane_where_the_worker_says_so() {
    let order = Order::None;
    let mut world = World::owning(PumpConfig { order, ..config() }, &[P0]);
    assert_eq!(runs(&world.deliver("a", 0..2)), [[0], [1]]);
}

#[test]
fn no_more_lanes_run_than_the_instance_may_run() {
    let running_max = 2;
    let mut world = World::owning(
        PumpConfig {
            running_max,
            ..config()
        },
        &[P0],
    );
    assert_eq!(runs(&world.deliver_keyless(0..5)), [[0], [1]]);
    assert_eq!(runs(&world.finish(1, DONE)), [[2]]);
    assert_eq!(world.pump.live_runs(P0), 2);
}

#[test]
fn a_record_that_waits_for_its_write_leaves_its_place_to_another() {
    let running_max = 1;
    let mut world = World::owning(
        PumpConfig {
            running_max,
            ..config()
        },
        &[P0],
    );
    world.deliver_keyless(0..2);
    let actions = world.finish(0, emits("events"));
    assert_eq!(publishes(&actions), [(0, "events")]);
    assert_eq!(runs(&actions), [[1]]);
}

/// Scenario K9.
#[test]
fn partitions_take_turns_when_few_lanes_may_run() {
    let config = PumpConfig {
        running_max: 1,
        ..config()
    };
    let mut world = World::owning(config, &[P0, P1]);
    let of = |partition| (0..40).map(move |o| record(partition, o, LaneKey::Keyless(Offset(o))));
    let actions = world.records(of(P0).collect());
    let mut current = dispatches(&actions).next().unwrap().records[0].at;
    world.records(of(P1).collect());
    let mut seen = BTreeMap::new();
    for _ in 0..20 {
        let actions = world.finish_at(current, DONE);
        current = dispatches(&actions).next().unwrap().records[0].at;
        *seen.entry(current.partition).or_insert(0) += 1;
    }
    assert_eq!(seen, BTreeMap::from([(P0, 10), (P1, 10)]));
}

#[test]
fn a_lane_that_goes_on_lines_up_behind_those_that_waited() {
    let config = PumpConfig {
        running_max: 1,
        ..one_at_a_time()
    };
    let mut world = World::owning(config, &[P0]);
    world.deliver("a", 0..2);
    world.deliver("b", [2]);
    assert_eq!(runs(&world.finish(0, DONE)), [[2]]);
    assert_eq!(runs(&world.finish(2, DONE)), [[1]]);
}

#[test]
fn lanes_tell_where_their_head_stands() {
    let mut world = World::owning(one_at_a_time(), &[P0]);
    world.deliver("a", 0..2);
    let since = world.now;
    assert_eq!(world.lane("a").state, LaneState::Running { since });
    assert_eq!(world.lane("a").records, 2);
    world.finish(0, emits("events"));
    assert_eq!(world.lane("a").state, LaneState::Publishing);
    assert_eq!(world.lane("a").head, Offset(0));
}
