//! After a record is dead its key waits in the store, until an operator releases it or has the record replayed.

use std::time::Duration;

use argosy_kernel::{
    Action, Committed, Death, Epoch, Input, Offset, ParkingConfig, PlanStep, PlanStepKind,
    PlanStepNumber, PumpConfig, RunEnd, Settle, WriteFault,
};

use crate::{
    rows::Rows,
    seen::{runs, settled},
    world::{Act, DONE, End, P0, World, config, deferred, key},
};

const HOUR: Duration = Duration::from_secs(3_600);

const DEAD: End = RunEnd::Dead {
    cause: Death::Refused,
    residue: "fault",
};

fn holding() -> PumpConfig {
    PumpConfig {
        parking: Some(ParkingConfig::default()),
        hold_after_dead: true,
        ..config()
    }
}

/// Lane `a` of offsets 0, 1, 2 is held: 0 is dead.
fn held() -> (World, Rows) {
    let mut world = World::owning(holding(), &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", 0..3);
    die(&mut world, &mut rows, 0);
    assert_eq!(rows.unsettled(), [1, 2]);
    (world, rows)
}

/// A record is dead, its letter and its hold are written.
fn die(world: &mut World, rows: &mut Rows, offset: i64) {
    rows.hear(&world.finish(offset, DEAD));
    rows.hear(&world.dead_lettered(offset, Ok(())));
    rows.serve(world);
    acknowledge(world, rows);
}

fn acknowledge(world: &mut World, rows: &mut Rows) {
    rows.hear(&world.acknowledge());
    rows.serve(world);
}

fn step(number: i64, offset: i64, kind: PlanStepKind) -> PlanStep {
    PlanStep {
        number: PlanStepNumber(number),
        lane: key("a"),
        offset: Offset(offset),
        kind,
    }
}

const REPLAY: PlanStepKind = PlanStepKind::Replay { bytes: 100 };

fn ask(world: &mut World, rows: &mut Rows, steps: &[PlanStep]) -> Vec<Act> {
    let mut actions = world.on(Input::PlanSteps {
        partition: P0,
        assignment: world.assignment(),
        steps: steps.to_vec(),
    });
    rows.hear(&actions);
    actions.extend(rows.serve(world));
    actions
}

#[test]
fn a_dead_record_settles_only_when_its_hold_is_durable() {
    let mut world = World::owning(holding(), &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", [0]);
    world.finish(0, DEAD);
    let actions = world.dead_lettered(0, Ok(()));
    assert!(settled(&actions).is_empty(), "{actions:?}");
    rows.hear(&actions);
    let actions = rows.serve(&mut world);
    assert_eq!(settled(&actions), [(0, Settle::Dead(Death::Refused))]);
    assert_eq!(
        rows.holds.get(&key("a")),
        Some(&0),
        "also with nothing behind it"
    );
}

#[test]
fn a_letter_that_is_not_acknowledged_holds_nothing() {
    let mut world = World::owning(holding(), &[P0]);
    let mut rows = Rows::default();
    world.deliver("a", [0]);
    rows.hear(&world.finish(0, DEAD));
    rows.hear(&world.dead_lettered(0, Err(WriteFault::Unavailable)));
    assert!(rows.asked.is_empty());
}

#[test]
fn later_records_of_a_held_key_wait_durably_and_say_so_and_other_keys_run() {
    let (mut world, mut rows) = held();
    let actions = world.deliver("a", [3]);
    let told = actions.iter().any(|action| {
        matches!(action, Action::Waits { cause, parked: true, .. } if cause.to_string() == "hold(0)")
    });
    assert!(told, "{actions:?}");
    assert!(runs(&actions).is_empty());
    rows.hear(&actions);
    rows.serve(&mut world);
    rows.hear(&world.pass(HOUR));
    assert!(runs(&rows.serve(&mut world)).is_empty());
    assert_eq!(rows.unsettled(), [1, 2, 3]);
    assert_eq!(world.frontier(), Some(4));
    assert_eq!(runs(&world.deliver("b", [4])), [[4]]);
}

#[test]
fn a_record_without_a_key_holds_nothing() {
    let mut world = World::owning(holding(), &[P0]);
    world.deliver_keyless([0]);
    world.finish(0, DEAD);
    let actions = world.dead_lettered(0, Ok(()));
    assert_eq!(settled(&actions), [(0, Settle::Dead(Death::Refused))]);
}

#[test]
fn a_new_owner_keeps_the_hold() {
    let (_, rows) = held();
    let mut world = World::new(holding());
    world.assign(&[P0]);
    // What came before it knew of the hold, and what comes after.
    world.deliver("a", [3]);
    let mut rows = Rows {
        rows: rows.rows,
        holds: rows.holds,
        ..Rows::default()
    };
    let mut actions = world.on(Input::Owned {
        partition: P0,
        assignment: world.assignment(),
        epoch: Epoch(2),
        committed: Some(Committed {
            offset: Offset(3),
            metadata: String::new(),
        }),
        parked: rows.state(),
    });
    actions.extend(world.deliver("a", [4]));
    rows.hear(&actions);
    actions.extend(rows.serve(&mut world));
    actions.extend(world.pass(HOUR));
    assert!(runs(&actions).is_empty(), "{actions:?}");
    assert_eq!(rows.unsettled(), [1, 2, 3, 4]);
}

#[test]
fn a_release_lets_what_waited_run_in_order() {
    let (mut world, mut rows) = held();
    let actions = ask(&mut world, &mut rows, &[step(1, 0, PlanStepKind::Release)]);
    assert!(rows.holds.is_empty());
    assert_eq!(runs(&actions), [[1, 2]]);
}

#[test]
fn a_replayed_record_runs_ahead_and_done_ends_the_hold() {
    let (mut world, mut rows) = held();
    let actions = ask(&mut world, &mut rows, &[step(1, 0, REPLAY)]);
    assert_eq!(runs(&actions), [[0]]);
    rows.hear(&world.finish(0, DONE));
    rows.serve(&mut world);
    rows.hear(&world.acknowledge());
    let actions = rows.serve(&mut world);
    assert_eq!(runs(&actions), [[1, 2]]);
    assert!(rows.holds.is_empty());
    assert_eq!(rows.revived, [0]);
}

#[test]
fn a_replayed_record_that_is_dead_again_keeps_the_hold() {
    let (mut world, mut rows) = held();
    ask(&mut world, &mut rows, &[step(1, 0, REPLAY)]);
    die(&mut world, &mut rows, 0);
    rows.hear(&world.pass(HOUR));
    assert!(runs(&rows.serve(&mut world)).is_empty());
    assert_eq!(rows.holds.get(&key("a")), Some(&0));
    assert_eq!(rows.unsettled(), [1, 2]);
    assert!(rows.revived.is_empty());
}

#[test]
fn a_replay_waits_for_the_record_that_runs_and_goes_ahead_of_all_others() {
    let mut world = World::owning(
        PumpConfig {
            hold_after_dead: false,
            ..holding()
        },
        &[P0],
    );
    let mut rows = Rows::default();
    world.deliver("a", [0]);
    die(&mut world, &mut rows, 0);
    world.deliver("a", [1]);
    world.deliver("a", [2, 3]);
    let actions = ask(&mut world, &mut rows, &[step(1, 0, REPLAY)]);
    assert!(runs(&actions).is_empty(), "1 runs");
    rows.hear(&world.finish(1, deferred("acme", Duration::from_millis(10))));
    let actions = rows.serve(&mut world);
    assert_eq!(
        runs(&actions).first(),
        Some(&vec![0, 1, 2, 3]),
        "{actions:?}"
    );
}

#[test]
fn a_step_that_comes_again_while_it_is_carried_out_is_carried_out_once() {
    let (mut world, mut rows) = held();
    let step = step(1, 0, REPLAY);
    let asked = || Input::PlanSteps {
        partition: P0,
        assignment: argosy_kernel::Assignment(1),
        steps: vec![step.clone(), step.clone()],
    };
    rows.hear(&world.on(asked()));
    rows.hear(&world.on(asked()));
    let replays: usize = rows.asked.iter().map(|write| write.replays.len()).sum();
    assert_eq!(replays, 1);
}

#[test]
fn a_step_for_another_assignment_or_without_a_store_changes_nothing() {
    let (mut world, _) = held();
    let stale = Input::PlanSteps {
        partition: P0,
        assignment: argosy_kernel::Assignment(0),
        steps: vec![step(1, 0, REPLAY)],
    };
    assert!(world.on(stale).is_empty());
    let mut world = World::owning(config(), &[P0]);
    let asked = Input::PlanSteps {
        partition: P0,
        assignment: world.assignment(),
        steps: vec![step(1, 0, REPLAY)],
    };
    assert!(world.on(asked).is_empty());
}

fn only_told(world: &mut World, steps: &[PlanStep]) -> Vec<Act> {
    world.on(Input::PlanSteps {
        partition: P0,
        assignment: world.assignment(),
        steps: steps.to_vec(),
    })
}

#[test]
fn a_replay_goes_ahead_of_rows_that_are_being_read() {
    let (mut world, mut rows) = held();
    rows.hear(&only_told(&mut world, &[step(1, 0, PlanStepKind::Release)]));
    let release = rows.asked.remove(0);
    rows.write(&release);
    rows.hear(&world.on(Input::Parked {
        partition: P0,
        assignment: release.assignment,
        park: release.park,
        result: Ok(()),
    }));
    let load = rows.loads.remove(0);
    let read = rows.load(&load.key, load.records_max, load.through);
    assert_eq!(read.len(), 2);
    rows.hear(&only_told(&mut world, &[step(2, 0, REPLAY)]));
    let actions = world.on(Input::ParkedLoaded {
        partition: P0,
        assignment: load.assignment,
        load: load.load,
        key: load.key,
        result: Ok(read),
    });
    assert!(runs(&actions).is_empty(), "{actions:?}");
    rows.hear(&actions);
    let actions = rows.serve(&mut world);
    assert_eq!(runs(&actions), [[0, 1, 2]]);
}

#[test]
fn nothing_of_a_key_is_read_while_its_replay_is_on_its_way_in() {
    let mut world = World::owning(
        PumpConfig {
            hold_after_dead: false,
            ..holding()
        },
        &[P0],
    );
    let mut rows = Rows::default();
    world.deliver("a", [0]);
    die(&mut world, &mut rows, 0);
    world.deliver("a", [1]);
    rows.hear(&world.finish(1, deferred("acme", Duration::from_secs(40))));
    rows.serve(&mut world);
    assert_eq!(rows.unsettled(), [1]);
    rows.hear(&only_told(&mut world, &[step(1, 0, REPLAY)]));
    assert_eq!(rows.asked.len(), 1);
    rows.hear(&world.pass(HOUR));
    assert!(rows.loads.is_empty(), "{:?}", rows.loads);
    let actions = rows.serve(&mut world);
    assert_eq!(runs(&actions), [[0, 1]]);
}

#[test]
fn a_replay_waits_until_its_records_last_death_is_buried() {
    let (mut world, mut rows) = held();
    ask(&mut world, &mut rows, &[step(1, 0, REPLAY)]);
    rows.hear(&world.finish(0, DEAD));
    rows.hear(&world.dead_lettered(0, Ok(())));
    rows.serve(&mut world);
    rows.hear(&only_told(&mut world, &[step(2, 0, REPLAY)]));
    assert!(rows.asked.is_empty(), "{:?}", rows.asked);
    rows.hear(&world.acknowledge());
    let buries = rows.asked.first().expect("its step is acknowledged");
    assert_eq!((buries.settled.len(), buries.replays.len()), (1, 0));
    let actions = rows.serve(&mut world);
    assert_eq!(runs(&actions), [[0]]);
}

#[test]
fn a_release_that_comes_late_does_not_end_the_hold_of_another_record() {
    let (mut world, mut rows) = held();
    ask(&mut world, &mut rows, &[step(1, 0, REPLAY)]);
    rows.hear(&world.finish(0, DONE));
    rows.serve(&mut world);
    acknowledge(&mut world, &mut rows);
    die(&mut world, &mut rows, 1);
    assert_eq!(rows.holds.get(&key("a")), Some(&1));
    rows.hear(&only_told(&mut world, &[step(2, 0, PlanStepKind::Release)]));
    assert_eq!(rows.asked.first().map(|write| write.ended.len()), Some(1));
    assert!(runs(&rows.serve(&mut world)).is_empty());
    assert_eq!(rows.holds.get(&key("a")), Some(&1));
}
