//! Lanes that will not run soon go to the store, whole and in order, and come back head first.

use std::time::Duration;

use argosy_kernel::{
    Action, CommitResult, Committed, Epoch, Input, Offset, ParkFault, Parked, ParkingConfig,
    PumpConfig, Waiting,
};

use crate::{
    rows::Rows,
    seen::runs,
    world::{Act, DONE, P0, P1, World, config, deferred, failed_until, key, millis, record},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn parking() -> PumpConfig {
    PumpConfig {
        parking: Some(ParkingConfig::default()),
        ..config()
    }
}

/// A world with lane `a` of offsets 0, 1, 2 parked for a dependency that is worth a look in an hour.
fn parked() -> (World, Rows) {
    let mut world = World::owning(parking(), &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", 0..3);
    let actions = world.finish(0, deferred("acme", HOUR));
    rows.hear(&actions);
    rows.serve(&mut world);
    (world, rows)
}

#[test]
fn a_lane_that_will_wait_for_long_goes_to_the_store_whole_and_is_clear_there() {
    let mut world = World::owning(parking(), &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", 0..3);
    let actions = world.finish(0, deferred("acme", HOUR));
    let parked = actions.iter().any(|action| {
        matches!(action, Action::Waits { parked: true, cause, .. } if cause.name() == "dependency")
    });
    assert!(parked, "{actions:?}");
    rows.hear(&actions);
    assert_eq!(world.frontier(), Some(0), "not before the store has it");
    rows.serve(&mut world);
    assert_eq!(rows.unsettled(), [0, 1, 2]);
    assert_eq!(world.frontier(), Some(3));
    assert_eq!(world.pump.held(P0).records, 0);
}

#[test]
fn a_short_wait_stays_in_memory_until_the_waits_add_up() {
    let mut world = World::owning(parking(), &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", [0]);
    for second in 0..29 {
        let actions = world.finish(0, deferred("acme", millis(1_000)));
        rows.hear(&actions);
        assert!(rows.asked.is_empty(), "after {second} s");
        world.pass(millis(1_000));
    }
    rows.hear(&world.finish(0, deferred("acme", millis(1_000))));
    assert_eq!(rows.asked.len(), 1);
}

#[test]
fn later_records_of_a_parked_key_go_behind_it_and_other_keys_run() {
    let (mut world, mut rows) = parked();
    let actions = world.deliver("a", [3, 4]);
    assert!(runs(&actions).is_empty());
    rows.hear(&actions);
    rows.serve(&mut world);
    assert_eq!(rows.unsettled(), [0, 1, 2, 3, 4]);
    assert_eq!(runs(&world.deliver("b", [5])), [[5]]);
}

#[test]
fn when_its_time_comes_the_head_runs_first_and_the_rest_after_it() {
    let (mut world, mut rows) = parked();
    rows.hear(&world.pass(HOUR));
    let actions = rows.serve(&mut world);
    assert_eq!(runs(&actions), [[0, 1, 2]]);
    for offset in 0..3 {
        let actions = world.finish(offset, DONE);
        rows.hear(&actions);
    }
    rows.hear(&world.acknowledge());
    rows.serve(&mut world);
    assert!(rows.unsettled().is_empty());
    // The key is free again: nothing goes through the store.
    assert_eq!(runs(&world.deliver("a", [3])), [[3]]);
}

#[test]
fn what_waits_again_is_let_go_of_and_its_attempts_are_kept() {
    let mut world = World::owning(parking(), &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", 0..2);
    rows.hear(&world.finish(0, failed_until(HOUR)));
    rows.serve(&mut world);
    assert_eq!(rows.rows[&0].1, 1);
    rows.hear(&world.pass(HOUR));
    rows.serve(&mut world);
    rows.hear(&world.finish(0, failed_until(HOUR)));
    assert_eq!(world.pump.held(P0).records, 0);
    rows.serve(&mut world);
    assert_eq!((rows.rows[&0].1, rows.rows.len()), (2, 2));
}

#[test]
fn tombstones_stay_until_the_group_has_committed_past_them() {
    let (mut world, mut rows) = parked();
    world.deliver("b", [3]);
    rows.hear(&world.pass(HOUR));
    rows.serve(&mut world);
    for offset in 0..3 {
        rows.hear(&world.finish(offset, DONE));
    }
    rows.hear(&world.acknowledge());
    rows.serve(&mut world);
    assert!(rows.unsettled().is_empty());
    assert_eq!(rows.rows.len(), 3, "the group knows nothing of it yet");
    for commit in 1..4 {
        rows.hear(&world.commit_ended(commit, CommitResult::Accepted));
        rows.serve(&mut world);
        rows.hear(&world.pass(millis(1_000)));
    }
    assert!(rows.rows.is_empty(), "{:?}", rows.rows);
}

#[test]
fn one_looks_at_a_dependency_and_the_others_follow_at_a_ramp() {
    let mut world = World::owning(parking(), &[P0]);
    let mut rows = Rows::default();
    for lane in 0..8 {
        world.deliver(&format!("k{lane}"), [lane]);
        rows.hear(&world.finish(lane, deferred("acme", HOUR)));
        rows.serve(&mut world);
    }
    rows.hear(&world.pass(HOUR));
    let running = |world: &World| world.pump.live_runs(P0);
    rows.serve(&mut world);
    assert_eq!(running(&world), 1, "one looks");
    rows.hear(&world.finish(0, deferred("acme", millis(1))));
    rows.serve(&mut world);
    assert_eq!(running(&world), 0, "it was turned back");
    rows.hear(&world.pass(millis(1_000)));
    rows.serve(&mut world);
    rows.hear(&world.finish(1, DONE));
    rows.serve(&mut world);
    assert_eq!(running(&world), 2, "it got through");
    rows.hear(&world.finish(2, DONE));
    rows.hear(&world.finish(3, DONE));
    rows.serve(&mut world);
    assert_eq!(running(&world), 4);
}

#[test]
fn a_new_owner_takes_up_what_is_parked_before_it_dispatches_anything() {
    let (_, rows) = parked();
    let mut world = World::new(parking());
    let mut rows = Rows {
        rows: rows.rows,
        ..Rows::default()
    };
    world.assign(&[P0]);
    // Redelivered, and one more behind them.
    world.deliver("a", 0..4);
    let owned = Input::Owned {
        partition: P0,
        assignment: world.assignment(),
        epoch: Epoch(2),
        committed: Some(Committed {
            offset: Offset(0),
            metadata: String::new(),
        }),
        parked: rows.state(),
    };
    let actions = world.on(owned);
    assert!(runs(&actions).is_empty(), "{actions:?}");
    rows.hear(&actions);
    let actions = rows.serve(&mut world);
    assert_eq!(rows.unsettled(), [0, 1, 2, 3]);
    assert_eq!(runs(&actions), [[0, 1, 2, 3]]);
    assert_eq!(world.frontier(), Some(4));
}

#[test]
fn a_write_that_fails_holds_the_frontier_and_is_tried_again() {
    let mut world = World::owning(parking(), &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", 0..3);
    rows.hear(&world.finish(0, deferred("acme", HOUR)));
    let write = rows.asked.remove(0);
    world.on(Input::Parked {
        partition: P0,
        assignment: write.assignment,
        park: write.park,
        result: Err(ParkFault::Unavailable),
    });
    assert_eq!(
        (world.frontier(), world.pump.held(P0).records),
        (Some(0), 3)
    );
    rows.hear(&world.pass(millis(500)));
    rows.serve(&mut world);
    assert_eq!((world.frontier(), rows.unsettled().len()), (Some(3), 3));
}

#[test]
fn a_map_that_grows_long_sends_the_oldest_waiting_lanes_to_the_store() {
    let mut world = World::owning(parking(), &[P0]);
    let mut rows = Rows::default();
    // Every other one waits, a second each: the map would have 4,000 ranges.
    for offset in 0..8_000 {
        world.deliver_keyless([offset]);
        let end = if offset % 2 == 0 {
            deferred("acme", millis(5_000))
        } else {
            DONE
        };
        rows.hear(&world.finish(offset, end));
    }
    rows.hear(&world.acknowledge());
    rows.hear(&world.pass(millis(1_000)));
    rows.serve(&mut world);
    assert!(
        rows.unsettled().len() >= 2_000,
        "{}",
        rows.unsettled().len()
    );
    assert!(world.frontier() >= Some(4_000));
}

#[test]
fn past_the_limit_of_keys_lanes_wait_in_memory() {
    let mut config = parking();
    config.parking = Some(ParkingConfig {
        keys_max: 2,
        ..ParkingConfig::default()
    });
    let mut world = World::owning(config, &[P0]);
    let mut rows = Rows::default();
    for lane in 0..3 {
        world.deliver(&format!("k{lane}"), [lane]);
        rows.hear(&world.finish(lane, deferred("acme", HOUR)));
        rows.serve(&mut world);
    }
    assert_eq!(rows.unsettled(), [0, 1]);
    assert_eq!(world.pump.held(P0).records, 1);
}

#[test]
fn a_record_above_the_limit_of_bytes_is_parked_alone() {
    let mut config = parking();
    config.parking = Some(ParkingConfig {
        bytes_max: 50,
        ..ParkingConfig::default()
    });
    let mut world = World::owning(config, &[P0]);
    let mut rows = Rows::default();
    for lane in 0..2 {
        world.deliver(&format!("k{lane}"), [lane]);
        rows.hear(&world.finish(lane, deferred("acme", HOUR)));
        rows.serve(&mut world);
    }
    assert_eq!(rows.unsettled(), [0]);
    assert_eq!(world.pump.held(P0).records, 1);
}

#[test]
fn what_waits_for_room_goes_on_when_there_is_some() {
    let mut config = parking();
    config.parking = Some(ParkingConfig {
        bytes_max: 250,
        ..ParkingConfig::default()
    });
    let mut world = World::owning(config, &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", 0..4);
    rows.hear(&world.finish(0, deferred("acme", HOUR)));
    rows.serve(&mut world);
    assert_eq!(rows.unsettled(), [0, 1], "the others have no room");
    rows.hear(&world.pass(HOUR));
    rows.serve(&mut world);
    for offset in 0..2 {
        rows.hear(&world.finish(offset, DONE));
    }
    rows.serve(&mut world);
    assert_eq!(rows.rows.len(), 4, "{:?}", rows.rows);
}

#[test]
fn a_partition_past_the_limit_of_keys_says_why_it_takes_no_more_and_goes_on_by_itself() {
    let mut config = PumpConfig {
        partition_records_max: 4,
        ..parking()
    };
    config.parking = Some(ParkingConfig {
        keys_max: 2,
        ..ParkingConfig::default()
    });
    let mut world = World::owning(config, &[P0, P1]);
    let mut rows = Rows::default();
    let mut seen = Vec::new();
    for lane in 0..6 {
        seen.extend(world.deliver(&format!("k{lane}"), [lane]));
        let actions = world.finish(lane, deferred("acme", HOUR));
        rows.hear(&actions);
        seen.extend(actions);
        seen.extend(rows.serve(&mut world));
    }
    let held = |actions: &[Act]| {
        let mut actions = actions.iter();
        actions.any(|action| matches!(action, Action::HoldIntake(_)))
    };
    assert!(held(&seen));
    assert_eq!(world.pump.intake_held(P0), Some(Waiting::ParkedFull));
    let parked = Parked {
        keys: 2,
        bytes: 200,
    };
    assert_eq!(world.pump.in_store(P0), parked);
    assert_eq!(world.pump.intake_held(P1), None, "others take records in");
    let other = world.records(vec![record(P1, 0, key("b"))]);
    assert_eq!(runs(&other), [[0]]);
    // The dependency is back.
    let mut resumed = false;
    rows.hear(&world.pass(HOUR));
    for _ in 0..6 {
        rows.serve(&mut world);
        for lane in 0..6 {
            let actions = world.finish(lane, DONE);
            resumed |= actions
                .iter()
                .any(|action| matches!(action, Action::ResumeIntake(_)));
            rows.hear(&actions);
        }
        rows.hear(&world.acknowledge());
    }
    rows.serve(&mut world);
    assert!(resumed);
    assert_eq!(world.pump.intake_held(P0), None);
    assert!(rows.unsettled().is_empty(), "{:?}", rows.rows);
}

#[test]
fn a_partition_whose_store_is_away_says_so_once_its_memory_is_full() {
    let mut world = World::owning(
        PumpConfig {
            partition_records_max: 4,
            ..parking()
        },
        &[P0],
    );
    for lane in 0..4 {
        world.deliver(&format!("k{lane}"), [lane]);
        for action in world.finish(lane, deferred("acme", HOUR)) {
            if let Action::Park(write) = action {
                world.on(Input::Parked {
                    partition: P0,
                    assignment: write.assignment,
                    park: write.park,
                    result: Err(ParkFault::Unavailable),
                });
            }
        }
    }
    let store = Waiting::Dependency("store".into());
    assert_eq!(world.pump.intake_held(P0), Some(store));
}

#[test]
fn a_lane_that_an_earlier_owner_left_waiting_is_parked_at_its_first_wait() {
    let mut earlier = World::owning(parking(), &[P0]);
    earlier.deliver("a", [0]);
    earlier.deliver("b", [1]);
    earlier.finish(0, deferred("acme", millis(5_000)));
    earlier.finish(1, DONE);
    let mut actions = earlier.acknowledge();
    actions.extend(earlier.pass(millis(1_000)));
    let map = actions.iter().find_map(|action| match action {
        Action::Commit { offsets, .. } => offsets[0].2.clone(),
        _ => None,
    });
    let map = map.expect("offset 1 is clear above the frontier");
    let mut world = World::new(parking());
    let mut rows = Rows::default();
    world.assign(&[P0]);
    world.own(P0, 2, Some((0, &map)));
    world.deliver("a", [0]);
    world.deliver("c", [2]);
    rows.hear(&world.finish(0, deferred("acme", millis(5_000))));
    rows.hear(&world.finish(2, deferred("acme", millis(5_000))));
    rows.serve(&mut world);
    assert_eq!(rows.unsettled(), [0], "the other one is new");
}

#[test]
fn a_record_that_is_stored_while_an_empty_load_is_out_is_not_forgotten() {
    let (mut world, mut rows) = parked();
    rows.hear(&world.pass(HOUR));
    let load = rows.loads.remove(0);
    // Somebody erased the rows; another record of the key comes before the store's answer does.
    rows.rows.clear();
    rows.hear(&world.deliver("a", [3]));
    rows.serve(&mut world);
    let actions = world.on(Input::ParkedLoaded {
        partition: P0,
        assignment: world.assignment(),
        load: load.load,
        key: load.key,
        result: Ok(Vec::new()),
    });
    rows.hear(&actions);
    assert!(runs(&world.deliver("a", [4])).is_empty(), "3 comes first");
    assert_eq!(runs(&rows.serve(&mut world)), [[3]]);
}
