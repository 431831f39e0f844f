//! Agreement: operations drawn by a seed, done to a store and to a fresh model, must be answered alike.
//!
//! Claims are held either not at all or for an hour, so that no answer depends on how long the run takes.

mod parking;

use std::{fmt::Write, sync::Arc};

use argosy_kernel::Epoch;
use argosy_store::{
    Claim, ClaimAnswer, EffectRow, EffectState, OutcomeRow, RecordedOutcome, Resolution, Resolved,
    Store, TimelinePlace, TimelineRow,
};
use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;

use super::{EXPIRED, LONG, World};
use crate::{random::Random, store::SharedModelStore};

/// Draws `steps` operations and does each to both; panics at the first that is answered differently.
pub async fn agree(store: &dyn Store, salt: Uuid, seed: u64, steps: u64) {
    let model = SharedModelStore::new();
    let (real, model) = (
        World { store, salt },
        World {
            store: &model,
            salt,
        },
    );
    let mut random = Random::new(seed);
    let mut book = Book::default();
    for step in 0..steps {
        let operation = draw(&mut random, &real, &mut book);
        let said = tell(&real, operation.clone()).await;
        let expected = tell(&model, operation.clone()).await;
        assert_eq!(
            said, expected,
            "seed {seed}, step {step}: {operation:?} is answered otherwise than by the model"
        );
    }
}

/// What is done, without the batch's words.
#[derive(Clone, Debug)]
enum Drawn {
    Take(Vec<i32>),
    Claim(Vec<Claim>),
    Record(Vec<OutcomeRow>),
    Resolve(String, Resolution),
    Recall(Vec<String>),
    Effects(String),
    Project(Vec<TimelineRow>),
    Parking(parking::Drawn),
    Read,
}

/// What was drawn before, as far as it matters to what is drawn next.
#[derive(Debug, Default)]
struct Book {
    /// Timeline rows.
    lines: i64,
    /// Of each partition, how often it was taken: its epoch.
    epochs: [i64; 2],
}

fn draw(random: &mut Random, world: &World<'_>, book: &mut Book) -> Drawn {
    let batch = random.between(1, 5);
    match random.below(32) {
        0..2 => Drawn::Take(take(random, batch, book)),
        2..9 => Drawn::Claim((0..batch).map(|_| claim(random, world)).collect()),
        9..13 => Drawn::Record((0..batch).map(|_| outcome(random, world)).collect()),
        13..14 => Drawn::Resolve(event(random), resolution(random)),
        14..16 => Drawn::Recall((0..batch).map(|_| event(random)).collect()),
        16..17 => Drawn::Effects(event(random)),
        17..19 => Drawn::Project(
            (0..batch)
                .map(|_| line(random, world, &mut book.lines))
                .collect(),
        ),
        19..31 => Drawn::Parking(parking::draw(random, book)),
        _ => Drawn::Read,
    }
}

/// Who is named twice is taken once.
fn take(random: &mut Random, batch: u64, book: &mut Book) -> Vec<i32> {
    let taken: Vec<i32> = (0..batch).map(|_| small(random, 2)).collect();
    for (partition, epoch) in (0..).zip(&mut book.epochs) {
        *epoch += i64::from(taken.contains(&partition));
    }
    taken
}

fn small(random: &mut Random, end: u64) -> i32 {
    i32::try_from(random.below(end)).expect("it is small")
}

fn event(random: &mut Random) -> String {
    random.below(4).to_string()
}

fn claim(random: &mut Random, world: &World<'_>) -> Claim {
    let mut claim = world.claim(&event(random), u128::from(random.below(3)));
    claim.owner = world.owner(small(random, 2));
    claim.epoch = Epoch(i64::from(small(random, 4)));
    claim.hold = if random.chance(600) { EXPIRED } else { LONG };
    claim.over = random.chance(600).then(|| i64::from(small(random, 6)));
    claim
}

fn outcome(random: &mut Random, world: &World<'_>) -> OutcomeRow {
    let succeeds = random.chance(150);
    OutcomeRow {
        id: world.effect(&event(random), "north"),
        number: i64::from(small(random, 6)),
        outcome: if succeeds {
            RecordedOutcome::Succeeded(Bytes::from(random.below(100).to_string()))
        } else {
            RecordedOutcome::NotHappened
        },
    }
}

fn resolution(random: &mut Random) -> Resolution {
    if random.chance(300) {
        Resolution::Happened(Bytes::from(random.below(100).to_string()))
    } else {
        Resolution::DidNotHappen
    }
}

fn line(random: &mut Random, world: &World<'_>, lines: &mut i64) -> TimelineRow {
    if random.chance(700) {
        *lines += 1;
    }
    let states = ["accepted", "running", "waiting", "running", "done", "dead"];
    TimelineRow {
        instance: world.salt,
        number: *lines,
        correlation: world.named("flow"),
        source: world.named("shop"),
        event: Arc::from(event(random)),
        event_type: Arc::from("type"),
        worker: Arc::from(random.below(2).to_string()),
        at_ms: i64::from(small(random, 50)),
        steps: json!([random.below(100)]),
        state: Arc::from(states[random.index(states.len())]),
    }
}

/// Does it and puts the answer into words, without its times.
async fn tell(world: &World<'_>, operation: Drawn) -> String {
    let store = world.store;
    let up = "the store is up";
    match operation {
        Drawn::Take(partitions) => {
            let owners = partitions.into_iter().map(|number| world.owner(number));
            format!(
                "{:?}",
                store
                    .take_owners(world.salt, owners.collect())
                    .await
                    .expect(up)
            )
        }
        Drawn::Claim(claims) => {
            let answers = store.claim(claims).await.expect(up);
            answers
                .into_iter()
                .map(|answer| claim_words(&answer))
                .collect()
        }
        Drawn::Record(outcomes) => {
            store.record(outcomes).await.expect(up);
            String::new()
        }
        Drawn::Resolve(event, resolution) => {
            let id = world.effect(&event, "north");
            match world.resolve(&id, resolution).await.expect(up) {
                Resolved::Now(row) => format!("now {}", row_words(&row)),
                Resolved::Refused(row) => format!("refused {}", row_words(&row)),
                Resolved::Unknown => "unknown".to_owned(),
            }
        }
        Drawn::Recall(events) => {
            let events = events.iter().map(|event| world.event(event)).collect();
            let recalled = store.recall(events).await.expect(up);
            recalled.iter().map(|rows| rows_words(rows)).collect()
        }
        Drawn::Effects(event) => {
            let source = world.event(&event).source.to_string();
            rows_words(&store.effects(source, event).await.expect(up))
        }
        Drawn::Project(rows) => {
            store.project(rows).await.expect(up);
            String::new()
        }
        Drawn::Parking(drawn) => parking::tell(world, drawn).await,
        Drawn::Read => read(world).await,
    }
}

async fn read(world: &World<'_>) -> String {
    let up = "the store is up";
    let flow = world.named("flow").to_string();
    let mut words = String::new();
    let mut after = TimelinePlace::BEFORE_ALL;
    loop {
        let page = world
            .store
            .timeline(flow.clone(), after, 7)
            .await
            .expect(up);
        let Some(last) = page.last() else {
            break;
        };
        after = last.place();
        write!(words, "{page:?}").expect("text takes text");
    }
    for event in 0..4 {
        let source = world.named("shop").to_string();
        let statuses = world.store.status(source, event.to_string()).await;
        write!(words, "{:?}", statuses.expect(up)).expect("text takes text");
    }
    words
}

fn claim_words(answer: &ClaimAnswer) -> String {
    match answer {
        ClaimAnswer::Granted { number, request } => format!("[granted {number} {request:?}]"),
        ClaimAnswer::Found(row) => format!("[found {}]", row_words(row)),
        ClaimAnswer::Fenced => "[fenced]".to_owned(),
    }
}

fn rows_words(rows: &[EffectRow]) -> String {
    let rows: Vec<_> = rows.iter().map(row_words).collect();
    format!("[{}]", rows.join(", "))
}

fn row_words(row: &EffectRow) -> String {
    let state = match &row.state {
        EffectState::Succeeded(answer) => format!("succeeded {answer:?}"),
        EffectState::Released => "released".to_owned(),
        EffectState::Open(Some(_)) => "open".to_owned(),
        EffectState::Open(None) => "expired".to_owned(),
    };
    format!(
        "{:?} number {} run {} {:?} {state}",
        row.id, row.number, row.run, row.request
    )
}
