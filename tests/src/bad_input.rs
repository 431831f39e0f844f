//! Records that nobody can handle, on a real broker: each is dead with its cause, byte-identical, and nothing is lost;
//! what only looks wrong is handled.
//!
//! Records are written and dead letters read by kcat, so that our own code is on neither side of the comparison.

mod cases;
pub(crate) mod kcat;
mod kept;
pub(crate) mod letter;

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use self::{
    cases::{Case, Fate},
    kcat::{Raw, Written},
    letter::Death,
};
use crate::{
    protocol::Protocol,
    storm::arena::{Arena, ArenaSettings},
    suite::{Folder, Verdict, progress},
};

/// What came of it.
#[derive(Debug)]
pub struct BadInputReport {
    /// Each is a sentence.
    pub violations: Vec<String>,
    cases: Vec<(&'static str, String)>,
}

impl Verdict for BadInputReport {
    fn to_json(&self) -> Value {
        let cases: BTreeMap<_, _> = self
            .cases
            .iter()
            .map(|(name, cause)| (*name, cause.clone()))
            .collect();
        json!({
            "verdict": if self.violations.is_empty() { "holds" } else { "violated" },
            "violations": self.violations,
            "cases": cases,
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

const ORDERS: &str = "argosy.order-events.v1";
const DEAD_LETTERS: &str = "argosy.dead-letters.v1";
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

/// Writes all cases, waits for what must come of each, and compares.
///
/// # Errors
///
/// If the fleet or kcat cannot be run.
pub async fn run(folder: Folder) -> anyhow::Result<BadInputReport> {
    let mut arena = Arena::start(ArenaSettings {
        folder,
        workers: 1,
        protocol: Protocol::Classic,
        latency_ms: (0, 0),
        poison: false,
    })
    .await?;
    arena.start_workers()?;
    let bootstrap = arena.bootstrap();
    let cases = cases::all();
    for case in &cases {
        progress(&format!("bad-input: {}", case.name));
        kcat::write(&bootstrap, ORDERS, &case.record)?;
    }
    let dies = |case: &&Case| matches!(case.fate, Fate::Dead(_));
    let wanted = cases.iter().filter(dies).count();
    let deadline = Instant::now() + SETTLE_WITHIN;
    let (orders, letters) = loop {
        let orders = kcat::read(&bootstrap, ORDERS)?;
        let letters = kcat::read(&bootstrap, DEAD_LETTERS)?;
        let is_emitted = |case: &Case| dies(&case) || case.emitted(&orders) == 1;
        let is_whole = letters.len() >= wanted && cases.iter().all(is_emitted);
        if is_whole || Instant::now() > deadline {
            break (orders, letters);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let mut report = BadInputReport {
        violations: Vec::new(),
        cases: Vec::new(),
    };
    for case in &cases {
        let (came, wrong) = compare(case, &orders, &letters);
        report.cases.push((case.name, came));
        let wrong = wrong
            .into_iter()
            .map(|what| format!("{}: {what}", case.name));
        report.violations.extend(wrong);
    }
    let store = argosy_store::Postgres::connect(&arena.store_url(), 2)?;
    for case in &cases {
        let is_it =
            |record: &&Written| record.key == case.record.key && record.value == case.record.value;
        if let (Fate::Dead(cause), Some(record)) = (&case.fate, orders.iter().find(is_it)) {
            let wrong = kept::faults(&store, case, cause, record, deadline).await?;
            let wrong = wrong
                .into_iter()
                .map(|what| format!("{}: {what}", case.name));
            report.violations.extend(wrong);
        }
    }
    store.close().await;
    if letters.len() != wanted {
        report.violations.push(format!(
            "{wanted} records must die, {} dead letters",
            letters.len()
        ));
    }
    while arena.lag()? != 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    if arena.lag()? != 0 {
        report
            .violations
            .push(format!("group orders has a lag of {}", arena.lag()?));
    }
    arena.stop(!report.violations.is_empty());
    Ok(report)
}

/// What came of a case, in a word, and what is wrong with it.
fn compare(case: &Case, orders: &[Written], letters: &[Written]) -> (String, Vec<String>) {
    let Raw { key, value, .. } = &case.record;
    let is_it = |record: &&Written| record.key == *key && record.value == *value;
    let Some(record) = orders.iter().find(is_it) else {
        return ("lost".into(), vec!["the record is not on its topic".into()]);
    };
    let letter = letters.iter().find(|letter| letter.key == *key);
    match (&case.fate, letter) {
        (Fate::Emits { event_type, .. }, letter) => {
            let times = case.emitted(orders);
            let mut wrong = Vec::new();
            if times != 1 {
                wrong.push(format!("{event_type} was emitted {times} times"));
            }
            // A null key may be another case's, which dies.
            if letter.is_some_and(|letter| letter.value == *value) {
                wrong.push("it is dead".into());
            }
            ((*event_type).into(), wrong)
        }
        (Fate::Dead(_), None) => ("none".into(), vec!["no dead letter".into()]),
        (Fate::Dead(cause), Some(letter)) => {
            let found = letter.header("argosy.dlq.cause").unwrap_or("none");
            // A record that can never be handled is run once, and not again.
            let death = Death {
                worker: "orders",
                cause,
                attempts: 1,
            };
            (
                found.into(),
                letter::faults(&case.record, death, record, letter),
            )
        }
    }
}
