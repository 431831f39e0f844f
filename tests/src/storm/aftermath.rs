//! After a storm with poison: what is held is looked at, then an operator releases all, as often as it takes.
//!
//! Invariant: nothing is released before everything else is settled, so that what waited is known to have waited.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Watched,
    arena::Arena,
    judge::Accepted,
    load::{self, Book},
    poison,
};
use crate::{
    letters::{self, Letter},
    suite::progress,
};

/// How long until every first poison holds its key.
const HELD_WITHIN: Duration = Duration::from_secs(120);

/// How long until everything is settled when it is released: poison behind poison dies by turns.
const SETTLED_WITHIN: Duration = Duration::from_secs(240);

const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What came of it.
#[derive(Debug)]
pub(super) struct Aftermath {
    pub(super) violations: Vec<String>,
    pub(super) settled: bool,
    accepted: BTreeMap<&'static str, usize>,
    dead: BTreeMap<String, usize>,
    held_keys: usize,
    held_events: usize,
    releases: usize,
    released_to_settled_s: f64,
    processes_ended: usize,
}

impl Aftermath {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "accepted": self.accepted,
            "dead_by_cause": self.dead,
            "held_keys": self.held_keys,
            "held_events": self.held_events,
            "releases_of_all": self.releases,
            "released_to_settled_s": self.released_to_settled_s,
            "processes_ended_by_poison": self.processes_ended,
        })
    }
}

/// Waits for the holds, judges them, releases all, and waits until everything is settled.
pub(super) async fn release(
    arena: &mut Arena,
    book: &Book,
    watched: &mut Watched,
) -> anyhow::Result<Aftermath> {
    let accepted = book.entries();
    let held = all_held(arena, &accepted).await?;
    let mut violations = poison::wrong_holds(&accepted, &held);
    watched.look()?;
    violations.extend(poison::ran_though_held(
        &accepted,
        &watched.receipts,
        load::wall_ns(),
    ));
    let firsts = poison::firsts(&accepted);
    let is_held = |event: &&Accepted| {
        let first = firsts.get(&*event.key);
        first.is_some_and(|first| event.sequence > *first)
    };
    let held_events = accepted.iter().filter(is_held).count();
    progress(&format!(
        "storm: {} keys are held, {held_events} events wait behind their dead ones; all are released",
        held.len()
    ));
    watched.released = true;
    let (letters, releases, took, settled) = until_settled(arena, book, watched).await?;
    violations.extend(poison::wrong_deaths(&accepted, &letters));
    let mut ways = BTreeMap::new();
    for way in accepted.iter().filter_map(|event| event.poison) {
        *ways.entry(way.name()).or_default() += 1;
    }
    let mut dead = BTreeMap::new();
    for letter in &letters {
        *dead.entry(letter.cause.clone()).or_default() += 1;
    }
    Ok(Aftermath {
        violations,
        settled,
        accepted: ways,
        dead,
        held_keys: held.len(),
        held_events,
        releases,
        released_to_settled_s: took.as_secs_f64().round(),
        processes_ended: arena.ended_by_poison(),
    })
}

fn listed(arena: &Arena, held_only: bool) -> anyhow::Result<Vec<Letter>> {
    letters::list(|arguments| arena.argosy(arguments), held_only)
}

/// What holds a key, when as many do as must; or what does when that takes too long.
async fn all_held(arena: &mut Arena, accepted: &[Accepted]) -> anyhow::Result<Vec<Letter>> {
    let deadline = Instant::now() + HELD_WITHIN;
    loop {
        let held = listed(arena, true)?;
        if poison::wrong_holds(accepted, &held).is_empty() || Instant::now() > deadline {
            return Ok(held);
        }
        arena.mend()?;
        progress(&format!("storm: {} keys are held", held.len()));
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// All letters in the end, how often all was released, how long it took, and whether it came to an end.
async fn until_settled(
    arena: &mut Arena,
    book: &Book,
    watched: &mut Watched,
) -> anyhow::Result<(Vec<Letter>, usize, Duration, bool)> {
    let accepted = book.entries();
    let began = Instant::now();
    let mut releases = 0;
    loop {
        watched.look()?;
        let letters = listed(arena, false)?;
        let held = letters.iter().filter(|letter| letter.is_held);
        let unasked = held.filter(|letter| !letter.is_asked).count();
        if unasked > 0 {
            let asked = ["dead-letters", "release", "--all", "--yes"];
            let (succeeded, said) = arena.argosy(&asked)?;
            anyhow::ensure!(succeeded, "release of all: {said}");
            releases += 1;
        }
        let owed = watched.owed(book);
        progress(&format!(
            "storm: {} dead, {unasked} to be released, {owed} owed",
            letters.len()
        ));
        let is_quiet = letters.iter().all(|letter| !letter.is_held);
        if is_quiet
            && owed == 0
            && poison::wrong_deaths(&accepted, &letters).is_empty()
            && arena.lag()? == 0
        {
            return Ok((letters, releases, began.elapsed(), true));
        }
        if began.elapsed() > SETTLED_WITHIN {
            return Ok((letters, releases, began.elapsed(), false));
        }
        arena.mend()?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
