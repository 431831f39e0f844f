//! Records that were running when a process died: they run alone, and only a death while alone counts.

use argosy_kernel::{
    Abort, Action, CommitResult, Committed, Death, Epoch, Input, LaneKey, LaneState, Offset,
    ParkedLane, ParkedLoad, ParkedRecord, ParkedState, ParkingConfig, Partition, PumpConfig,
    RunEnd, Settle, Suspect, Waiting,
};

use crate::{seen::*, world::*};

fn suspects(of: &[(i64, u32)]) -> Vec<Suspect> {
    let suspects = of.iter().map(|&(offset, deaths)| Suspect {
        offset: Offset(offset),
        deaths,
    });
    suspects.collect()
}

fn own(world: &mut World, partition: Partition, epoch: i64, parked: ParkedState) -> Vec<Act> {
    own_from(world, partition, epoch, None, parked)
}

fn own_from(
    world: &mut World,
    partition: Partition,
    epoch: i64,
    committed: Option<i64>,
    parked: ParkedState,
) -> Vec<Act> {
    world.on(Input::Owned {
        partition,
        assignment: world.assignment(),
        epoch: Epoch(epoch),
        committed: committed.map(|offset| Committed {
            offset: Offset(offset),
            metadata: String::new(),
        }),
        parked,
    })
}

/// A world that owns both partitions; the first one with these suspects: offset, deaths.
fn with(config: PumpConfig, of: &[(i64, u32)]) -> World {
    let mut world = World::new(config);
    world.assign(&[P0, P1]);
    let parked = ParkedState {
        suspects: suspects(of),
        ..ParkedState::default()
    };
    own(&mut world, P0, 1, parked);
    world.own(P1, 1, None);
    world
}

fn is_alone(actions: &[Act]) -> Vec<bool> {
    dispatches(actions).map(|dispatch| dispatch.alone).collect()
}

/// Answers the write to the parked rows that is among these actions.
fn bury(world: &mut World, actions: &[Act]) -> Vec<Act> {
    let park = actions.iter().find_map(|action| match action {
        Action::Park(write) => Some(write.park),
        _ => None,
    });
    world.on(Input::Parked {
        partition: P0,
        assignment: world.assignment(),
        park: park.expect("a write is out"),
        result: Ok(()),
    })
}

fn forgotten(actions: &[Act]) -> Vec<i64> {
    let forgotten = actions.iter().filter_map(|action| match action {
        Action::ForgetSuspects { offsets, .. } => Some(offsets.iter().map(|offset| offset.0)),
        _ => None,
    });
    forgotten.flatten().collect()
}

#[test]
fn a_suspect_waits_so_that_others_get_through_and_then_runs_alone() {
    let mut world = with(config(), &[(0, 0)]);
    let actions = world.deliver_keyless(0..3);
    assert_eq!(runs(&actions), [[1], [2]], "others do not wait for it");
    assert_eq!(is_alone(&actions), [false, false]);
    assert_eq!(waits(&actions), [(0, "suspect".to_owned(), millis(5_000))]);
    assert!(runs(&world.pass(millis(4_999))).is_empty());
    assert!(runs(&world.pass(millis(1))).is_empty(), "others still run");
    assert!(
        runs(&world.deliver_keyless([3])).is_empty(),
        "nothing begins"
    );
    assert_eq!(world.pump.held_back(P1), Some(Waiting::Suspect));
    world.finish(1, DONE);
    let actions = world.finish(2, DONE);
    assert_eq!(
        (runs(&actions), is_alone(&actions)),
        (vec![vec![0]], vec![true])
    );
    assert!(runs(&world.records(vec![record(P1, 0, key("b"))])).is_empty());
    let actions = world.finish(0, DONE);
    assert_eq!(settled(&actions), [(0, Settle::Done)]);
    assert_eq!(runs(&actions), [[3], [0]], "and now all the others");
    assert_eq!(is_alone(&actions), [false, false]);
    assert_eq!(world.pump.held_back(P1), None);
}

#[test]
fn a_survivor_is_a_suspect_no_more_however_its_run_ends() {
    let ends: [(End, &str); 4] = [
        (failed(), "retry"),
        (deferred("acme", millis(10)), "dependency"),
        (emits("events"), ""),
        (RunEnd::Skipped("outdated"), ""),
    ];
    for (end, cause) in ends {
        let mut world = with(config(), &[(0, 2)]);
        world.deliver("a", 0..2);
        let actions = world.pass(millis(5_000));
        assert_eq!(
            (runs(&actions), is_alone(&actions)),
            (vec![vec![0]], vec![true])
        );
        world.finish(0, end);
        let actions = world.pass(millis(60_000));
        match cause {
            "" => assert!(runs(&actions).len() <= 1),
            cause => assert_eq!(is_alone(&actions), [false], "{cause}"),
        }
    }
}

#[test]
fn two_deaths_condemn_nobody_and_three_do_without_a_run() {
    let mut world = with(config(), &[(0, 2), (1, 3)]);
    let actions = world.deliver_keyless(0..3);
    assert_eq!(runs(&actions), [[2]]);
    assert_eq!(letters(&actions), [(1, Death::Crashed, 3, None)]);
    let actions = world.dead_lettered(1, Ok(()));
    assert_eq!(settled(&actions), [(1, Settle::Dead(Death::Crashed))]);
    world.finish(2, DONE);
    assert_eq!(runs(&world.pass(millis(5_000))), [[0]]);
}

#[test]
fn a_condemned_record_stays_so_until_its_letter_is_written() {
    let mut world = with(config(), &[(0, 7)]);
    assert_eq!(letters(&world.deliver("a", 0..2)).len(), 1);
    world.dead_lettered(0, Err(argosy_kernel::WriteFault::Unavailable));
    let actions = world.pass(millis(500));
    assert_eq!(letters(&actions), [(0, Death::Crashed, 7, None)]);
    let actions = world.dead_lettered(0, Ok(()));
    assert_eq!(runs(&actions), [[1]], "and its key goes on");
}

#[test]
fn later_records_of_a_suspects_key_wait_behind_it_and_a_suspect_is_never_handed_over_after_others()
{
    let mut world = with(config(), &[(2, 0)]);
    assert_eq!(runs(&world.deliver("a", 0..5)), [[0, 1]]);
    world.finish(0, DONE);
    assert!(runs(&world.finish(1, DONE)).is_empty());
    assert!(matches!(
        world.lane("a").state,
        LaneState::Waiting {
            cause: Waiting::Suspect,
            ..
        }
    ));
    assert_eq!(runs(&world.pass(millis(5_000))), [[2]]);
    assert_eq!(runs(&world.finish(2, DONE)), [[3, 4]]);
}

#[test]
fn suspects_take_turns_over_partitions_and_others_get_through_between_them() {
    let mut world = World::new(config());
    world.assign(&[P0, P1]);
    for partition in [P0, P1] {
        let parked = ParkedState {
            suspects: suspects(&[(0, 0), (1, 0)]),
            ..ParkedState::default()
        };
        own(&mut world, partition, 1, parked);
    }
    for partition in [P0, P1] {
        world.records(vec![
            record(partition, 0, key("a")),
            record(partition, 1, key("b")),
        ]);
    }
    let mut seen = Vec::new();
    let mut actions = world.pass(millis(5_000));
    for other in 10..14 {
        let dispatch = dispatches(&actions).next().expect("one has its turn");
        assert!(dispatch.alone);
        let at = dispatch.records[0].at;
        seen.push((at.partition, at.offset.0));
        assert!(runs(&world.deliver_keyless([other])).is_empty());
        world.now = world.now.plus(millis(100));
        let through = world.finish_at(at, DONE);
        assert_eq!(runs(&through), [[other]], "others get through");
        assert!(runs(&world.finish(other, DONE)).is_empty());
        assert!(
            runs(&world.pass(millis(99))).is_empty(),
            "as long as it took"
        );
        actions = world.pass(millis(1));
    }
    assert_eq!(seen, [(P0, 0), (P1, 0), (P0, 1), (P1, 1)]);
    assert!(runs(&actions).is_empty());
}

#[test]
fn a_suspect_that_is_lost_given_back_or_fenced_before_its_turn_keeps_nobody_waiting() {
    type Leave = fn(&mut World) -> Vec<Act>;
    let leaves: [Leave; 3] = [
        |world| world.lose(&[P0]),
        |world| world.revoke(1, &[P0]),
        |world| world.finish(1, RunEnd::Fenced),
    ];
    for leave in leaves {
        let mut world = with(config(), &[(0, 0)]);
        world.deliver_keyless(0..2);
        world.records(vec![record(P1, 0, key("b"))]);
        world.pass(millis(5_000));
        assert!(runs(&world.records(vec![record(P1, 1, key("c"))])).is_empty());
        assert_eq!(runs(&leave(&mut world)), [[1]], "the others go on");
        assert_eq!(world.pump.held_back(P1), None);
    }
}

#[test]
fn a_suspect_that_is_lost_while_it_runs_keeps_others_waiting_until_its_run_has_ended() {
    let mut world = with(config(), &[(0, 0)]);
    world.deliver_keyless([0]);
    assert_eq!(runs(&world.pass(millis(5_000))), [[0]]);
    let at = world.at(P0, 0);
    assert_eq!(aborts(&world.lose(&[P0])), [(0, Abort::Lost)]);
    assert!(runs(&world.records(vec![record(P1, 0, key("b"))])).is_empty());
    assert_eq!(runs(&world.finish_at(at, dropped(false))), [[0]]);
}

#[test]
fn a_suspect_that_runs_at_a_shutdown_or_past_its_deadline_is_told_so_like_any_other() {
    let mut world = with(config(), &[(0, 0)]);
    world.deliver_keyless(0..2);
    world.finish(1, DONE);
    world.pass(millis(5_000));
    assert_eq!(aborts(&world.pass(millis(60_000))), [(0, Abort::Deadline)]);
    world.finish(0, dropped(false));
    world.acknowledge();
    assert_eq!(is_alone(&world.pass(millis(1_000))), [false], "it survived");

    let mut world = with(config(), &[(0, 0)]);
    world.deliver_keyless([0]);
    world.pass(millis(5_000));
    world.on(Input::Shutdown);
    assert_eq!(aborts(&world.pass(millis(25_000))), [(0, Abort::Drain)]);
    let actions = world.finish(0, dropped(false));
    assert_eq!(leaves(&actions) + leaves(&world.pass(millis(2_000))), 1);
}

#[test]
fn a_run_that_could_not_be_alone_leaves_its_record_as_suspect_as_it_was() {
    let mut world = with(config(), &[(0, 2)]);
    world.deliver("a", [0]);
    world.pass(millis(5_000));
    let end = RunEnd::Deferred {
        cause: Waiting::Suspect,
        wait: millis(1_000),
    };
    world.finish(0, end);
    let actions = world.pass(millis(1_000));
    assert_eq!(
        (runs(&actions), is_alone(&actions)),
        (vec![vec![0]], vec![true])
    );
    world.finish(0, failed());
    assert_eq!(is_alone(&world.pass(millis(60_000))), [false]);
}

#[test]
fn what_the_group_has_passed_is_no_suspect_and_is_forgotten() {
    let mut world = World::new(config());
    world.assign(&[P0]);
    let parked = ParkedState {
        offsets: vec![Offset(1)],
        suspects: suspects(&[(0, 2), (1, 2), (7, 0), (8, 0)]),
        ..ParkedState::default()
    };
    let actions = own_from(&mut world, P0, 1, Some(5), parked);
    assert_eq!(forgotten(&actions), [0], "offset 1 waits in the store");
    world.deliver_keyless([7]);
    world.pass(millis(5_000));
    world.finish(7, DONE);
    let actions = world.acknowledge();
    assert_eq!(forgotten(&actions), [0; 0], "not before it is committed");
    let (commit, _) = commits(&actions).pop().expect("a commit is due");
    let actions = world.commit_ended(commit, CommitResult::Accepted);
    assert_eq!(forgotten(&actions), [7]);
}

#[test]
fn a_suspect_out_of_the_store_runs_alone_and_is_forgotten_with_its_row() {
    let mut world = World::new(PumpConfig {
        parking: Some(ParkingConfig::default()),
        ..config()
    });
    world.assign(&[P0]);
    let lane = LaneKey::Keyless(Offset(0));
    let parked = ParkedState {
        lanes: vec![ParkedLane {
            key: lane.clone(),
            records: 1,
            bytes: 100,
            cause: Waiting::Backlog,
            due: millis(0),
            head: Some(Offset(0)),
            held: None,
        }],
        offsets: vec![Offset(0)],
        suspects: suspects(&[(0, 1)]),
    };
    let loads = own_from(&mut world, P0, 1, Some(5), parked);
    assert!(forgotten(&bury(&mut world, &loads)).is_empty());
    let load = loads.iter().find_map(|action| match action {
        Action::LoadParked(ParkedLoad { load, .. }) => Some(*load),
        _ => None,
    });
    let actions = world.on(Input::ParkedLoaded {
        partition: P0,
        assignment: world.assignment(),
        load: load.expect("its row is asked for"),
        key: lane,
        result: Ok(vec![ParkedRecord {
            offset: Offset(0),
            bytes: 100,
            attempts: 0,
            age: millis(0),
            replayed: false,
            body: 0,
        }]),
    });
    assert!(runs(&actions).is_empty());
    let actions = world.pass(millis(5_000));
    assert_eq!(
        (runs(&actions), is_alone(&actions)),
        (vec![vec![0]], vec![true])
    );
    world.finish(0, DONE);
    let actions = world.acknowledge();
    assert_eq!(
        forgotten(&actions),
        [0; 0],
        "not before its row is a tombstone"
    );
    assert_eq!(forgotten(&bury(&mut world, &actions)), [0]);
}

#[test]
fn hundreds_of_suspects_all_get_their_turn_and_end() {
    let of: Vec<(i64, u32)> = (0..300).map(|offset| (offset, 0)).collect();
    let mut world = with(config(), &of);
    world.deliver_keyless(0..300);
    let mut ran = Vec::new();
    let mut actions = world.pass(millis(5_000));
    for _ in 0..100_000 {
        if let [run] = &runs(&actions)[..] {
            ran.extend(run.clone());
            actions = world.finish(run[0], DONE);
        } else if ran.len() == 300 {
            break;
        } else {
            actions = world.pass(millis(1));
        }
    }
    assert_eq!(ran, (0..300).collect::<Vec<_>>());
}
