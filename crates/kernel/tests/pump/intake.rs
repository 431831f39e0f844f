//! Records come in: charged once, skipped without a run, and held within a budget.

use argosy_kernel::{Action, PumpConfig, Record, Settle};

use crate::{seen::*, world::*};

#[test]
fn a_record_that_no_handler_wants_is_skipped_without_a_run() {
    let mut world = World::owning(config(), &[P0]);
    let actions = world.records(vec![foreign(P0, 0)]);
    assert!(runs(&actions).is_empty());
    assert_eq!(settled(&actions), [(0, Settle::Skipped("no handler"))]);
    assert_eq!(committed(&world.acknowledge()), Some(1));
}

#[test]
fn a_record_that_no_handler_wants_does_not_wait_for_a_place_to_run() {
    let running_max = 1;
    let mut world = World::owning(
        PumpConfig {
            running_max,
            ..config()
        },
        &[P0],
    );
    world.deliver("a", [0]);
    assert_eq!(settled(&world.records(vec![foreign(P0, 1)])).len(), 1);
}

#[test]
fn an_offset_delivered_twice_runs_once() {
    let mut world = World::owning(config(), &[P0]);
    assert_eq!(runs(&world.deliver("a", [0, 0])), [[0]]);
    assert!(runs(&world.deliver("a", [0])).is_empty());
    world.finish(0, DONE);
    assert!(
        runs(&world.deliver("a", [0])).is_empty(),
        "settled, not yet clear"
    );
    world.acknowledge();
    assert!(runs(&world.deliver("a", [0])).is_empty(), "clear");
    assert_eq!(world.pump.held(P0).records, 0);
}

#[test]
fn records_of_a_partition_that_is_not_ours_are_ignored() {
    let mut world = World::owning(config(), &[P0]);
    assert!(world.records(vec![record(P1, 0, key("a"))]).is_empty());
    assert_eq!(world.pump.frontier(P1), None);
}

fn intake(actions: &[Act]) -> Vec<&'static str> {
    let words = actions.iter().filter_map(|action| match action {
        Action::HoldIntake(_) => Some("hold"),
        Action::ResumeIntake(_) => Some("resume"),
        _ => None,
    });
    words.collect()
}

#[test]
fn intake_stops_at_its_budget_of_records_and_goes_on_at_half() {
    let config = PumpConfig {
        partition_records_max: 4,
        running_max: 1,
        ..config()
    };
    let mut world = World::owning(config, &[P0]);
    assert!(intake(&world.deliver_keyless(0..3)).is_empty());
    assert_eq!(intake(&world.deliver_keyless([3])), ["hold"]);
    assert!(intake(&world.deliver_keyless([4])).is_empty(), "held once");
    assert!(intake(&world.finish(0, DONE)).is_empty());
    assert!(intake(&world.finish(1, DONE)).is_empty());
    assert_eq!(intake(&world.finish(2, DONE)), ["resume"]);
    assert!(intake(&world.finish(3, DONE)).is_empty(), "resumed once");
}

#[test]
fn intake_stops_at_its_budget_of_bytes() {
    let config = PumpConfig {
        partition_bytes_max: 1_000,
        ..config()
    };
    let mut world = World::owning(config, &[P0]);
    let large = |offset| Record {
        bytes: 600,
        ..record(P0, offset, key("a"))
    };
    assert!(intake(&world.records(vec![large(0)])).is_empty());
    assert_eq!(intake(&world.records(vec![large(1)])), ["hold"]);
    assert_eq!(world.pump.held(P0).bytes, 1_200);
    assert!(intake(&world.finish(0, DONE)).is_empty());
    assert_eq!(intake(&world.finish(1, DONE)), ["resume"]);
}

#[test]
fn what_is_settled_and_not_acknowledged_does_not_count_as_held() {
    let partition_records_max = 2;
    let mut world = World::owning(
        PumpConfig {
            partition_records_max,
            ..config()
        },
        &[P0],
    );
    for offset in 0..10 {
        world.deliver_keyless([offset]);
        assert!(intake(&world.finish(offset, DONE)).is_empty());
    }
    assert_eq!(world.pump.held(P0).records, 0);
}

#[test]
fn a_record_of_any_size_is_taken() {
    let mut world = World::owning(config(), &[P0]);
    let huge = |offset| Record {
        bytes: usize::MAX,
        ..record(P0, offset, key("a"))
    };
    assert_eq!(intake(&world.records(vec![huge(0), huge(1)])), ["hold"]);
    world.finish(0, DONE);
    assert_eq!(world.pump.held(P0).records, 1);
}
