//! Keys that wait behind a dead record while everything else goes on, and everything is struck; and how a human ends it.
//!
//! Invariant: traffic on all keys runs from beginning to end; the verdict is the supplier's receipts, what an operator's
//! commands say, and the moments at which they were given.

mod judge;
mod operator;
mod plan;
mod stages;
mod traffic;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::{Value, json};

use self::{
    judge::{Applied, Case, Held, Patience, Struck, judge},
    plan::Fate,
    stages::Stage,
    traffic::place,
};
use crate::{
    grounds::{Grounds, Projected},
    letters::Letter,
    suite::{Folder, Verdict},
};

const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// Other keys go on within the session timeout and this much.
const GRACE: Duration = Duration::from_secs(5);

/// Without a strike, nobody else waits longer than this.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug, Default)]
pub struct HoldingReport {
    /// Each is a sentence.
    pub violations: Vec<String>,
    seed: u64,
    published: usize,
    applied: usize,
    dead: usize,
    held_keys: usize,
    waited_behind: usize,
    inversions: usize,
    doubled: usize,
    strikes: Vec<&'static str>,
    slowest_quiet_s: f64,
    slowest_after_strike_s: f64,
}

impl Verdict for HoldingReport {
    fn to_json(&self) -> Value {
        json!({
            "verdict": if self.violations.is_empty() { "holds" } else { "violated" },
            "seed": self.seed,
            "violations": self.violations,
            "published": self.published,
            "applied": self.applied,
            "dead_for_good": self.dead,
            "held_keys": self.held_keys,
            "events_that_waited_behind_dead_ones": self.waited_behind,
            "inversions": self.inversions,
            "applied_twice": self.doubled,
            "strikes": self.strikes,
            "slowest_on_other_keys_s": { "quiet": self.slowest_quiet_s, "after_a_strike": self.slowest_after_strike_s },
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

/// Holds keys, strikes, ends the holds, and judges.
///
/// # Errors
///
/// If the grounds or a process cannot be run, or what must happen does not within its time.
pub async fn run(folder: Folder, seed: u64) -> anyhow::Result<HoldingReport> {
    let grounds = Grounds::start(folder, Projected::Yes, &format!("holding://{seed}")).await?;
    let grounds = Arc::new(grounds);
    let ran = run_on(&grounds, seed).await;
    let keep = !ran
        .as_ref()
        .is_ok_and(|report| report.violations.is_empty());
    // Traffic that was cut off may still have it; then the end of the process ends the servers.
    if let Some(grounds) = Arc::into_inner(grounds) {
        grounds.stop(keep);
    }
    ran
}

async fn run_on(grounds: &Arc<Grounds>, seed: u64) -> anyhow::Result<HoldingReport> {
    let mut stage = Stage::open(grounds, seed)?;
    stage.goes_on("at first").await?;
    stage.break_keys().await?;
    stage.strike_all().await?;
    stage.look_at_waiting().await?;
    stage.release_some().await?;
    stage.replay_too_early().await?;
    stage.replay_in_time().await?;
    stage.release_all().await?;
    let seen = stage.end().await?;
    Ok(judged(seed, &seen))
}

/// All that a run left to judge.
#[derive(Debug)]
struct Seen {
    keys: Vec<(String, Fate)>,
    published: Vec<traffic::Published>,
    applied: Vec<Applied>,
    held: Vec<Held>,
    struck: Vec<(&'static str, Struck)>,
    letters: Vec<Letter>,
    waited_behind: usize,
    violations: Vec<String>,
}

fn judged(seed: u64, seen: &Seen) -> HoldingReport {
    let mut violations = seen.violations.clone();
    let dead: BTreeSet<String> = seen
        .letters
        .iter()
        .filter(|letter| letter.state == "dead")
        .map(|letter| letter.event.clone())
        .collect();
    violations.extend(wrong_letters(&seen.keys, &seen.letters));
    let healthy = seen.keys.iter().filter(|(_, fate)| *fate == Fate::Healthy);
    let struck: Vec<Struck> = seen.struck.iter().map(|(_, struck)| *struck).collect();
    let judgement = judge(&Case {
        published: &seen.published,
        applied: &seen.applied,
        held: &seen.held,
        dead: &dead,
        healthy: &healthy.map(|(key, _)| key.clone()).collect(),
        struck: &struck,
        patience: Patience {
            quiet: QUIET_MAX,
            after_strike: SESSION_TIMEOUT + GRACE,
        },
    });
    violations.extend(judgement.violations);
    HoldingReport {
        violations,
        seed,
        published: seen.published.len(),
        applied: seen.applied.len(),
        dead: dead.len(),
        held_keys: seen.held.len(),
        waited_behind: seen.waited_behind,
        inversions: judgement.inversions,
        doubled: judgement.doubled,
        strikes: seen.struck.iter().map(|(name, _)| *name).collect(),
        slowest_quiet_s: judgement.slowest_quiet.as_secs_f64(),
        slowest_after_strike_s: judgement.slowest_after_strike.as_secs_f64(),
    }
}

/// Each struck key has the letters of its fate, with their causes, and no other key has one.
fn wrong_letters(keys: &[(String, Fate)], letters: &[Letter]) -> Vec<String> {
    let mut wrong = Vec::new();
    for letter in letters {
        if letter.is_held || letter.is_asked {
            wrong.push(format!("in the end {} is held or asked for", letter.event));
        }
    }
    for (key, fate) in keys {
        let its: Vec<&Letter> = letters
            .iter()
            .filter(|letter| place(&letter.event).is_some_and(|(of, _)| of == key))
            .collect();
        let count = |state: &str| its.iter().filter(|letter| letter.state == state).count();
        let wanted = (fate.dead_for_good(), usize::from(fate.is_refused()));
        if (count("dead"), count("done")) != wanted || its.len() != wanted.0 + wanted.1 {
            wrong.push(format!(
                "{key} ({fate:?}) has the letters {its:?}, wanted {} dead and {} done",
                wanted.0, wanted.1
            ));
        }
        if let Some(other) = its.iter().find(|letter| letter.cause != fate.cause()) {
            wrong.push(format!("{} died of {}", other.event, other.cause));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(event: &str, state: &str, cause: &str) -> Letter {
        Letter {
            id: String::new(),
            event: event.into(),
            state: state.into(),
            cause: cause.into(),
            deaths: 1,
            is_held: false,
            is_asked: false,
        }
    }

    #[test]
    fn a_letter_too_few_too_many_or_of_another_cause_is_seen() {
        let keys = [
            ("a".to_owned(), Fate::Healthy),
            ("b".to_owned(), Fate::Replayed),
            ("c".to_owned(), Fate::Released),
        ];
        let right = vec![
            letter("b.4", "done", "refused"),
            letter("c.2", "dead", "panicked"),
        ];
        assert_eq!(wrong_letters(&keys, &right), Vec::<String>::new());
        let with = |more: Letter| [right.clone(), vec![more]].concat();
        for wrong in [
            right[..1].to_vec(),
            with(letter("a.1", "dead", "panicked")),
            with(letter("c.3", "dead", "panicked")),
            vec![
                letter("b.4", "dead", "refused"),
                letter("c.2", "dead", "panicked"),
            ],
            vec![
                letter("b.4", "done", "refused"),
                letter("c.2", "dead", "refused"),
            ],
            vec![
                right[0].clone(),
                Letter {
                    is_held: true,
                    ..right[1].clone()
                },
            ],
        ] {
            assert_ne!(wrong_letters(&keys, &wrong), Vec::<String>::new());
        }
    }
}
