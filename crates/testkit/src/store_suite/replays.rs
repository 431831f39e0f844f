//! Plan steps and replays: asked once, audited, carried out by the owner alone, and a dead record is a row again.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{Epoch, LaneKey};
use argosy_store::{
    AuditRow, DueStep, HeldLane, LetterId, LetterRow, LetterState, ParkAnswer, ParkChange,
    ParkedRow, PlanStepAnswer, PlanStepKind, PlanStepRefusal, ReplayedRow, limits,
};
use bytes::Bytes;
use futures_util::future::join_all;

use super::{
    World, list,
    parked::{lane, look, row},
};

list![
    a_step_is_asked_once_and_is_due_until_it_is_carried_out,
    asks_are_refused_with_a_reason_and_audited,
    of_concurrent_asks_one_is_taken,
    due_steps_come_by_partition_in_offset_order_and_bounded,
    a_replayed_record_waits_as_a_row_again,
    a_tombstone_is_a_row_again,
    a_row_that_waits_keeps_what_it_has_and_counts_as_replayed,
    what_is_settled_and_replayed_at_once_waits_again,
    a_tombstone_that_is_passed_and_replayed_at_once_waits_again,
    a_replay_is_done_once,
    a_replay_of_what_is_not_there_whole_ends_its_step_alone,
    a_step_fits_its_record_its_partition_and_its_kind,
    a_replay_of_an_older_epoch_changes_nothing,
    a_revived_record_is_done_and_one_that_dies_again_is_dead,
    an_ended_step_is_due_no_more,
    a_change_with_everything_is_one,
];

impl World<'_> {
    async fn ask_step(&self, offset: i64, kind: PlanStepKind) -> PlanStepAnswer {
        let asked = self
            .store
            .ask_plan_step(self.letter_id(offset), kind, self.salt.to_string());
        asked.await.expect("the store is up")
    }

    async fn due(&self) -> Vec<DueStep> {
        let due = self.store.due_plan_steps(vec![self.owner(0)], 100).await;
        due.expect("the store is up")
    }

    /// A dead record whose replay was asked for; the step.
    async fn asked(&self, offset: i64) -> i64 {
        self.tell_letters(vec![self.letter(offset)]).await;
        let answer = self.ask_step(offset, PlanStepKind::Replay).await;
        assert_eq!(answer, PlanStepAnswer::Asked);
        let due = self.due().await;
        let due = due.iter().find(|due| due.offset == offset);
        due.expect("it was asked for").step
    }

    fn replay(&self, step: i64, offset: i64) -> ParkChange {
        ParkChange {
            replays: vec![ReplayedRow {
                step,
                lane: lane("k"),
                offset,
            }],
            ..self.change()
        }
    }

    async fn done(&self, change: ParkChange) {
        assert_eq!(self.park(change).await, ParkAnswer::Done);
    }

    async fn state_of(&self, offset: i64) -> LetterState {
        self.found_letter(offset).await.state
    }

    /// What stands in the audit under this case's name, oldest first: action and answer.
    async fn audited(&self) -> Vec<(String, String)> {
        let rows = self.store.audit(limits::OPERATOR_ROWS_MAX).await;
        let actor = self.salt.to_string();
        let ours = |row: &AuditRow| row.actor == actor;
        let told = |row: AuditRow| {
            assert_eq!(row.subject["worker"], *self.owner(0).worker);
            let answer = row.subject["answer"].as_str().unwrap_or_default();
            (row.action, answer.to_owned())
        };
        let rows = rows.expect("the store is up").into_iter().filter(ours);
        let mut rows: Vec<_> = rows.map(told).collect();
        rows.reverse();
        rows
    }
}

/// The record of a letter as a row.
fn row_of(letter: &LetterRow, lane: LaneKey) -> ParkedRow {
    ParkedRow {
        lane,
        offset: letter.id.offset,
        timestamp_ms: letter.timestamp_ms,
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers: letter.headers.clone(),
    }
}

async fn a_step_is_asked_once_and_is_due_until_it_is_carried_out(world: &World<'_>) {
    world.own().await;
    let step = world.asked(1).await;
    let again = world.ask_step(1, PlanStepKind::Replay).await;
    assert_eq!(again, PlanStepAnswer::Open);
    let other = world.ask_step(1, PlanStepKind::Release).await;
    assert_eq!(other, PlanStepAnswer::Open);
    let due = DueStep {
        step,
        owner: world.owner(0),
        kind: PlanStepKind::Replay,
        offset: 1,
        key: Some(Bytes::from_static(b"k")),
        bytes: world.letter(1).bytes(),
    };
    assert_eq!(world.due().await, [due]);
    let letter = world.found_letter(1).await;
    assert_eq!(letter.open_step, Some(PlanStepKind::Replay));
    assert_eq!(letter.state, LetterState::Dead);
    world.done(world.replay(step, 1)).await;
    assert!(world.due().await.is_empty());
    let letter = world.found_letter(1).await;
    assert_eq!(
        (letter.open_step, letter.state),
        (None, LetterState::Replaying)
    );
}

async fn asks_are_refused_with_a_reason_and_audited(world: &World<'_>) {
    use PlanStepKind::{Release, Replay};
    world.own().await;
    let reference = LetterRow {
        is_reference: true,
        ..world.letter(2)
    };
    world.tell_letters(vec![world.letter(1), reference]).await;
    let refused = PlanStepAnswer::Refused;
    let unknown = world.ask_step(9, Replay).await;
    assert_eq!(unknown, PlanStepAnswer::Unknown);
    let asks = [
        (
            2,
            Replay,
            refused(PlanStepRefusal::IsReference),
            "is-reference",
        ),
        (1, Release, refused(PlanStepRefusal::NotHeld), "not-held"),
        (1, Replay, PlanStepAnswer::Asked, "asked"),
        (1, Replay, PlanStepAnswer::Open, "open"),
    ];
    for (offset, kind, expected, _) in asks {
        assert_eq!(
            world.ask_step(offset, kind).await,
            expected,
            "{offset} {kind:?}"
        );
    }
    let step = world.due().await[0].step;
    world.done(world.replay(step, 1)).await;
    let replaying = world.ask_step(1, Replay).await;
    assert_eq!(replaying, refused(PlanStepRefusal::NotDead));
    world.hold(lane("k"), 2).await;
    assert_eq!(world.ask_step(2, Release).await, PlanStepAnswer::Asked);
    let told = asks.map(|(_, kind, _, answer)| (kind.action().to_owned(), answer.to_owned()));
    let mut expected = told.to_vec();
    expected.push((Replay.action().to_owned(), "not-dead".to_owned()));
    expected.push((Release.action().to_owned(), "asked".to_owned()));
    assert_eq!(world.audited().await, expected);
}

async fn of_concurrent_asks_one_is_taken(world: &World<'_>) {
    world.own().await;
    world.tell_letters(vec![world.letter(1)]).await;
    let asks = join_all((0..16).map(|_| world.ask_step(1, PlanStepKind::Replay))).await;
    let asked = asks
        .iter()
        .filter(|answer| **answer == PlanStepAnswer::Asked);
    assert_eq!(asked.count(), 1, "{asks:?}");
    assert_eq!(world.due().await.len(), 1);
    assert_eq!(world.audited().await.len(), 16);
}

async fn due_steps_come_by_partition_in_offset_order_and_bounded(world: &World<'_>) {
    let letter = |partition, offset| LetterRow {
        id: LetterId {
            partition,
            ..world.letter_id(offset)
        },
        ..world.letter(offset)
    };
    for (partition, offset) in [(1, 5), (0, 9), (1, 3), (2, 1), (0, 2)] {
        let letter = letter(partition, offset);
        world.tell_letters(vec![letter.clone()]).await;
        let asked =
            world
                .store
                .ask_plan_step(letter.id, PlanStepKind::Replay, world.salt.to_string());
        assert_eq!(asked.await.expect("the store is up"), PlanStepAnswer::Asked);
    }
    let places = async |partitions: &[i32], rows_max| {
        let owners = partitions
            .iter()
            .map(|number| world.owner(*number))
            .collect();
        let due = world.store.due_plan_steps(owners, rows_max).await;
        let due = due.expect("the store is up").into_iter();
        due.map(|due| (due.owner.partition, due.offset))
            .collect::<Vec<_>>()
    };
    let all = [(1, 3), (1, 5), (0, 2), (0, 9), (2, 1)];
    assert_eq!(places(&[0, 1, 2, 1, 7], 100).await, all);
    assert_eq!(places(&[2, 0, 1], 3).await, all[..3]);
    assert_eq!(places(&[0], 100).await, all[2..4]);
    assert!(places(&[0], 0).await.is_empty());
    assert!(places(&[], 100).await.is_empty());
}

async fn a_replayed_record_waits_as_a_row_again(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 5)]).await;
    let bare = LetterRow {
        key: None,
        value: None,
        headers: Vec::new(),
        timestamp_ms: None,
        ..world.letter(1)
    };
    world.tell_letters(vec![bare.clone()]).await;
    let first = world.asked(1).await;
    let second = world.asked(2).await;
    let mut change = world.replay(first, 1);
    change.replays.extend(world.replay(second, 2).replays);
    world.done(change).await;
    let loaded = world.load(lane("k"), 10).await;
    let offsets: Vec<_> = loaded.iter().map(|loaded| loaded.row.offset).collect();
    assert_eq!(offsets, [1, 2, 5]);
    assert_eq!(loaded[0].row, row_of(&bare, lane("k")));
    assert_eq!(loaded[1].row, row_of(&world.letter(2), lane("k")));
    let told: Vec<_> = loaded.iter().map(|loaded| loaded.replayed).collect();
    assert_eq!(told, [true, true, false]);
    assert_eq!((loaded[1].attempts, loaded[1].age), (0, Duration::ZERO));
    let found = world.parked_in(0).await;
    assert_eq!(
        (found.lanes[0].head, &found.lanes[0].look),
        (Some(1), &None)
    );
    let bytes = bare.bytes() + world.letter(2).bytes() + row("k", 5).bytes();
    assert_eq!(found.lanes[0].bytes, bytes);
    // What is said of it later is kept as of any other row.
    let change = ParkChange {
        looks: vec![look(1)],
        ..world.change()
    };
    world.done(change).await;
    let loaded = world.load(lane("k"), 1).await;
    assert_eq!((loaded[0].attempts, loaded[0].replayed), (3, true));
}

async fn a_tombstone_is_a_row_again(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 1)]).await;
    let change = ParkChange {
        looks: vec![look(1)],
        settled: vec![],
        ..world.change()
    };
    world.done(change).await;
    let change = ParkChange {
        settled: vec![1],
        ..world.change()
    };
    world.done(change).await;
    let step = world.asked(1).await;
    world.done(world.replay(step, 1)).await;
    let loaded = world.load(lane("k"), 1).await;
    assert_eq!(loaded[0].row, row_of(&world.letter(1), lane("k")));
    assert_eq!((loaded[0].attempts, loaded[0].replayed), (0, true));
    assert_eq!(world.parked_in(0).await.lanes[0].look, None);
    // It settles again, and is a tombstone again.
    let change = ParkChange {
        settled: vec![1],
        ..world.change()
    };
    world.done(change).await;
    let found = world.parked_in(0).await;
    assert!(found.lanes.is_empty());
    assert_eq!(found.offsets, [1]);
}

async fn a_row_that_waits_keeps_what_it_has_and_counts_as_replayed(world: &World<'_>) {
    world.own().await;
    let change = ParkChange {
        rows: vec![row("l", 1)],
        looks: vec![look(1)],
        ..world.change()
    };
    world.done(change).await;
    let step = world.asked(1).await;
    world.done(world.replay(step, 1)).await;
    let loaded = world.load(lane("l"), 1).await;
    assert_eq!(loaded[0].row, row("l", 1));
    assert_eq!((loaded[0].attempts, loaded[0].replayed), (3, true));
    assert_eq!(world.state_of(1).await, LetterState::Replaying);
    assert!(world.due().await.is_empty());
}

async fn what_is_settled_and_replayed_at_once_waits_again(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 1)]).await;
    let step = world.asked(1).await;
    let change = ParkChange {
        settled: vec![1],
        revived: vec![1],
        ..world.replay(step, 1)
    };
    world.done(change).await;
    let loaded = world.load(lane("k"), 1).await;
    assert_eq!(loaded[0].row, row_of(&world.letter(1), lane("k")));
    assert_eq!(world.state_of(1).await, LetterState::Replaying);
}

async fn a_tombstone_that_is_passed_and_replayed_at_once_waits_again(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 1)]).await;
    let change = ParkChange {
        settled: vec![1],
        ..world.change()
    };
    world.done(change).await;
    let step = world.asked(1).await;
    let change = ParkChange {
        passed: Some(100),
        ..world.replay(step, 1)
    };
    world.done(change).await;
    assert_eq!(world.offsets(lane("k")).await, [1]);
    // Nor is it passed while it waits.
    let change = ParkChange {
        passed: Some(100),
        ..world.change()
    };
    world.done(change).await;
    assert_eq!(world.offsets(lane("k")).await, [1]);
}

async fn a_replay_is_done_once(world: &World<'_>) {
    world.own().await;
    let step = world.asked(1).await;
    let mut change = world.replay(step, 1);
    change.replays.push(change.replays[0].clone());
    world.done(change).await;
    let change = ParkChange {
        settled: vec![1],
        revived: vec![1],
        ..world.change()
    };
    world.done(change).await;
    world.done(world.replay(step, 1)).await;
    assert!(world.offsets(lane("k")).await.is_empty());
    assert_eq!(world.state_of(1).await, LetterState::Done);
}

async fn a_replay_of_what_is_not_there_whole_ends_its_step_alone(world: &World<'_>) {
    world.own().await;
    let step = world.asked(1).await;
    // It died again meanwhile, and its newest letter is a reference.
    let reference = LetterRow {
        is_reference: true,
        letter_offset: 99,
        ..world.letter(1)
    };
    world.tell_letters(vec![reference]).await;
    world.done(world.replay(step, 1)).await;
    assert!(world.parked_in(0).await.offsets.is_empty());
    assert_eq!(world.state_of(1).await, LetterState::Dead);
    assert!(world.due().await.is_empty());
}

async fn a_step_fits_its_record_its_partition_and_its_kind(world: &World<'_>) {
    world.own().await;
    let taken = world
        .store
        .take_owners(world.salt, vec![world.owner(1)])
        .await;
    taken.expect("it can be taken");
    let step = world.asked(1).await;
    world.tell_letters(vec![world.letter(2)]).await;
    world.hold(lane("k"), 2).await;
    let asked = world.ask_step(2, PlanStepKind::Release).await;
    assert_eq!(asked, PlanStepAnswer::Asked);
    let due = world.due().await;
    let release = due.iter().find(|due| due.kind == PlanStepKind::Release);
    let release = release.expect("it was asked for").step;
    let theirs = ParkChange {
        owner: world.owner(1),
        ended: vec![step, release],
        ..world.replay(step, 1)
    };
    let misfits = [
        theirs,
        world.replay(step, 2),
        world.replay(release, 2),
        world.replay(i64::MAX, 1),
        world.replay(-1, -1),
        ParkChange {
            ended: vec![i64::MIN, 0, i64::MAX],
            revived: vec![77],
            ..world.change()
        },
    ];
    for change in misfits {
        world.done(change).await;
    }
    assert_eq!(world.due().await, due);
    assert!(world.parked_in(0).await.offsets.is_empty());
    assert!(world.parked_in(1).await.offsets.is_empty());
    assert_eq!(world.state_of(1).await, LetterState::Dead);
}

async fn a_replay_of_an_older_epoch_changes_nothing(world: &World<'_>) {
    world.own().await;
    let step = world.asked(1).await;
    let change = ParkChange {
        epoch: Epoch(0),
        ended: vec![step],
        revived: vec![1],
        ..world.replay(step, 1)
    };
    assert_eq!(world.park(change).await, ParkAnswer::Fenced);
    assert_eq!(world.due().await.len(), 1);
    assert_eq!(world.state_of(1).await, LetterState::Dead);
    assert!(world.parked_in(0).await.offsets.is_empty());
}

async fn a_revived_record_is_done_and_one_that_dies_again_is_dead(world: &World<'_>) {
    world.own().await;
    for offset in [1, 2] {
        let step = world.asked(offset).await;
        world.done(world.replay(step, offset)).await;
    }
    let change = ParkChange {
        settled: vec![1, 2],
        revived: vec![1],
        ..world.change()
    };
    world.done(change).await;
    assert_eq!(world.state_of(1).await, LetterState::Done);
    // Its next letter is on its way.
    assert_eq!(world.state_of(2).await, LetterState::Replaying);
    let newer = LetterRow {
        letter_offset: 50,
        ..world.letter(2)
    };
    world.tell_letters(vec![newer]).await;
    let letter = world.found_letter(2).await;
    assert_eq!((letter.state, letter.deaths), (LetterState::Dead, 2));
    let again = world.ask_step(2, PlanStepKind::Replay).await;
    assert_eq!(again, PlanStepAnswer::Asked);
    let done = world.ask_step(1, PlanStepKind::Replay).await;
    assert_eq!(done, PlanStepAnswer::Refused(PlanStepRefusal::NotDead));
}

async fn an_ended_step_is_due_no_more(world: &World<'_>) {
    world.own().await;
    let step = world.asked(1).await;
    let change = ParkChange {
        ended: vec![step, step],
        ..world.change()
    };
    world.done(change).await;
    assert!(world.due().await.is_empty());
    assert_eq!(world.state_of(1).await, LetterState::Dead);
    // It was refused, so it may be asked again.
    let again = world.ask_step(1, PlanStepKind::Replay).await;
    assert_eq!(again, PlanStepAnswer::Asked);
}

async fn a_change_with_everything_is_one(world: &World<'_>) {
    world.own().await;
    world.add(vec![row("k", 3), row("m", 4)]).await;
    world.hold(lane("m"), 2).await;
    let step = world.asked(1).await;
    let change = ParkChange {
        rows: vec![row("k", 6)],
        looks: vec![look(3)],
        settled: vec![4],
        passed: Some(2),
        holds: vec![HeldLane {
            lane: lane("k"),
            offset: 5,
        }],
        released: vec![lane("m")],
        ..world.replay(step, 1)
    };
    let other = ParkChange {
        owner: world.owner(1),
        ..change.clone()
    };
    let answers = world.store.park(vec![other, change]).await;
    let answers = answers.expect("they can be parked");
    assert_eq!(answers, [ParkAnswer::Fenced, ParkAnswer::Done]);
    let found = world.parked_in(0).await;
    assert_eq!(found.offsets, [1, 3, 4, 6]);
    let [only] = &found.lanes[..] else {
        panic!("one lane: {found:?}");
    };
    assert_eq!((only.head, only.held, only.rows), (Some(1), Some(5), 3));
    let settled: Arc<[i64]> = Arc::from(world.offsets(lane("m")).await);
    assert!(settled.is_empty());
}
