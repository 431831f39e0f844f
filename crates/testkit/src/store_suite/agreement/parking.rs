//! Parks, letters and plan steps as agreement draws them: what is drawn names steps by their place among the due ones,
//! since their numbers are each store's own.
//!
//! A change that passes tombstones adds no rows, and what it settles it does not add: no pump does otherwise.

use std::{fmt::Write, sync::Arc};

use argosy_kernel::{Epoch, LaneKey};
use argosy_store::{
    FoundParked, HeldLane, LetterId, LetterQuestion, LetterRow, LetterState, ParkChange, ParkLoad,
    ParkedLook, PlanStepKind, ReplayedRow,
};
use bytes::Bytes;

use super::{
    super::{LONG, World, parked::row},
    Book, small,
};
use crate::random::Random;

/// Offsets are drawn below this.
const OFFSETS: u64 = 7;

#[derive(Clone, Debug)]
pub(super) enum Drawn {
    Change(Change),
    Project(Vec<Told>),
    Ask(i32, i64, PlanStepKind),
    List(Option<LetterState>, Option<bool>, u32),
    Load(u8, Option<i64>),
    Found(i32),
}

/// A change without its worker's name and its steps' numbers.
#[derive(Clone, Debug)]
pub(super) struct Change {
    partition: i32,
    epoch: i64,
    rows: Vec<(u8, i64)>,
    looks: Vec<i64>,
    settled: Vec<i64>,
    revived: Vec<i64>,
    passed: Option<i64>,
    holds: Vec<(u8, i64)>,
    released: Vec<u8>,
    /// Places among the due steps: taken back, or ended.
    replays: Vec<(usize, u8)>,
    ended: Vec<usize>,
}

/// A letter of one record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    partition: i32,
    offset: i64,
    letter_partition: i32,
    letter_offset: i64,
    last_failure_ms: i64,
    is_reference: bool,
}

pub(super) fn draw(random: &mut Random, book: &Book) -> Drawn {
    match random.below(12) {
        0..4 => Drawn::Change(change(random, book)),
        4..6 => Drawn::Project((0..random.between(1, 5)).map(|_| told(random)).collect()),
        6..9 => {
            let is_replay = random.chance(700);
            let kind = match is_replay {
                true => PlanStepKind::Replay,
                false => PlanStepKind::Release,
            };
            Drawn::Ask(small(random, 2), offset(random), kind)
        }
        9 => {
            let state = LetterState::ALL[random.index(3)];
            let state = random.chance(500).then_some(state);
            let held = random.chance(500).then(|| random.chance(500));
            Drawn::List(state, held, 1 + u32::from(letter(random)))
        }
        10 => {
            let through = random.chance(500).then(|| offset(random));
            Drawn::Load(letter(random), through)
        }
        _ => Drawn::Found(small(random, 2)),
    }
}

fn change(random: &mut Random, book: &Book) -> Change {
    let partition = random.index(2);
    let is_owner = random.chance(850);
    let mut offsets: Vec<i64> = (0..i64::try_from(OFFSETS).expect("it is small")).collect();
    let passed = random.chance(200).then(|| offset(random));
    let rows_max = if passed.is_none() { 3 } else { 1 };
    let mut take = |random: &mut Random| offsets.remove(random.index(offsets.len()));
    let rows = (0..random.below(rows_max)).map(|_| (letter(random), take(random)));
    let rows = rows.collect();
    let settled: Vec<i64> = (0..random.below(3)).map(|_| take(random)).collect();
    let revived = settled.iter().copied();
    Change {
        partition: i32::try_from(partition).expect("it is small"),
        epoch: book.epochs[partition] - i64::from(!is_owner),
        rows,
        looks: (0..random.below(2)).map(|_| offset(random)).collect(),
        revived: revived.filter(|_| random.chance(500)).collect(),
        settled,
        passed,
        holds: (0..random.below(2))
            .map(|_| (letter(random), offset(random)))
            .collect(),
        released: (0..random.below(2)).map(|_| letter(random)).collect(),
        replays: (0..random.below(3))
            .map(|_| (random.index(4), letter(random)))
            .collect(),
        ended: (0..random.below(2)).map(|_| random.index(4)).collect(),
    }
}

fn told(random: &mut Random) -> Told {
    Told {
        partition: small(random, 2),
        offset: offset(random),
        letter_partition: small(random, 2),
        letter_offset: i64::from(small(random, 30)),
        last_failure_ms: i64::from(small(random, 5)),
        is_reference: random.chance(100),
    }
}

fn offset(random: &mut Random) -> i64 {
    i64::try_from(random.below(OFFSETS)).expect("it is small")
}

fn letter(random: &mut Random) -> u8 {
    u8::try_from(random.below(3)).expect("it is small")
}

fn lane(letter: u8) -> LaneKey {
    LaneKey::Key(Arc::from([letter]))
}

/// Does it and puts the answer into words.
pub(super) async fn tell(world: &World<'_>, drawn: Drawn) -> String {
    let up = "the store is up";
    let store = world.store;
    match drawn {
        Drawn::Change(change) => {
            let owner = world.owner(change.partition);
            let change = resolved(world, change).await;
            let answers = store.park(vec![change]).await.expect(up);
            let found = store.parked(owner).await.expect(up);
            format!("{answers:?} {} {}", found_words(found), due(world).await)
        }
        Drawn::Project(told) => {
            let rows = told.into_iter().map(|told| letter_row(world, told));
            store.project_letters(rows.collect()).await.expect(up);
            String::new()
        }
        Drawn::Ask(partition, offset, kind) => {
            let id = LetterId {
                partition,
                ..world.letter_id(offset)
            };
            let asked = store.ask_plan_step(id, kind, world.salt.to_string());
            format!("{:?} {}", asked.await.expect(up), due(world).await)
        }
        Drawn::List(state, held, rows_max) => list(world, state, held, rows_max).await,
        Drawn::Load(letter, through) => {
            let loads = (0..2).map(|partition| ParkLoad {
                owner: world.owner(partition),
                lane: lane(letter),
                rows_max: 5,
                through,
            });
            format!("{:?}", store.load_parked(loads.collect()).await.expect(up))
        }
        Drawn::Found(partition) => {
            let found = store.parked(world.owner(partition)).await.expect(up);
            found_words(found)
        }
    }
}

/// The change with the numbers of the steps that are due in this store.
async fn resolved(world: &World<'_>, drawn: Change) -> ParkChange {
    let owner = world.owner(drawn.partition);
    let due = world.store.due_plan_steps(vec![owner.clone()], 100).await;
    let due = due.expect("the store is up");
    let replays = drawn.replays.iter().filter_map(|(place, letter)| {
        let due = due.get(*place)?;
        Some(ReplayedRow {
            step: due.step,
            lane: lane(*letter),
            offset: due.offset,
        })
    });
    let ended = drawn.ended.iter().filter_map(|place| due.get(*place));
    let holds = drawn.holds.into_iter().map(|(letter, offset)| HeldLane {
        lane: lane(letter),
        offset,
    });
    let looks = drawn.looks.into_iter().map(|offset| ParkedLook {
        offset,
        cause: Arc::from("retry"),
        dependency: None,
        due: LONG,
        attempts: 2,
        age: LONG,
    });
    let rows = drawn.rows.into_iter().map(|(letter, offset)| {
        let mut row = row("drawn", offset);
        row.lane = lane(letter);
        row
    });
    ParkChange {
        rows: rows.collect(),
        looks: looks.collect(),
        settled: drawn.settled,
        passed: drawn.passed,
        holds: holds.collect(),
        released: drawn.released.into_iter().map(lane).collect(),
        replays: replays.collect(),
        ended: ended.map(|due| due.step).collect(),
        revived: drawn.revived,
        ..ParkChange::new(owner, Epoch(drawn.epoch))
    }
}

fn letter_row(world: &World<'_>, told: Told) -> LetterRow {
    LetterRow {
        id: LetterId {
            partition: told.partition,
            ..world.letter_id(told.offset)
        },
        letter_partition: told.letter_partition,
        letter_offset: told.letter_offset,
        last_failure_ms: told.last_failure_ms,
        is_reference: told.is_reference,
        value: Some(Bytes::from(format!("{told:?}"))),
        ..world.letter(told.offset)
    }
}

/// All pages of a list.
async fn list(
    world: &World<'_>,
    state: Option<LetterState>,
    held: Option<bool>,
    rows_max: u32,
) -> String {
    let mut words = String::new();
    let mut after = None;
    loop {
        let question = LetterQuestion {
            worker: Some(world.owner(0).worker.to_string()),
            state,
            held,
            after,
            rows_max,
            ..LetterQuestion::default()
        };
        let page = world.store.dead_letters(question).await;
        let page = page.expect("the store is up");
        let Some(last) = page.last() else {
            return words;
        };
        after = Some(last.row.place());
        for letter in &page {
            let whole = world.store.dead_letter(letter.row.id.clone()).await;
            let whole = whole.expect("the store is up");
            let value = whole.and_then(|letter| letter.row.value);
            write!(words, "[{letter:?} {value:?}]").expect("text takes text");
        }
    }
}

async fn due(world: &World<'_>) -> String {
    let owners = vec![world.owner(0), world.owner(1)];
    let due = world.store.due_plan_steps(owners, 7).await;
    format!("{:?}", due.expect("the store is up"))
}

/// Without the time that looks have left.
fn found_words(mut found: FoundParked) -> String {
    for lane in &mut found.lanes {
        if let Some(look) = &mut lane.look {
            look.due = LONG;
        }
    }
    // Holds of two lanes may be drawn at one offset.
    found.lanes.sort_by_key(|found| {
        (
            found.head.is_none(),
            found.head,
            found.held,
            found.lane.clone(),
        )
    });
    format!("{found:?}")
}
