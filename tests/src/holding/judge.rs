//! The verdict, from outside: what was published, what the supplier's receipts say, and when an operator ended what.
//!
//! Invariant: it knows of no store, no log and no worker; only moments and events.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::traffic::{Published, event, place};

/// Violations told at most; more only count.
const TOLD_MAX: usize = 40;

/// An applied call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) event: String,
    pub(super) at: u64,
}

/// A key behind its dead record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) key: String,
    /// Number of the dead record.
    pub(super) dead: u64,
    /// When an operator was asked to end it: nothing behind it may have run before.
    pub(super) ended: u64,
}

/// Something that explains that healthy keys wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Struck {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// How long a healthy event may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// If nothing was struck meanwhile.
    pub(super) quiet: Duration,
    /// From the end of what was struck last.
    pub(super) after_strike: Duration,
}

/// All that is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) published: &'a [Published],
    /// In the order in which they were applied.
    pub(super) applied: &'a [Applied],
    pub(super) held: &'a [Held],
    /// Events that stay dead.
    pub(super) dead: &'a BTreeSet<String>,
    /// Keys to which nothing was done.
    pub(super) healthy: &'a BTreeSet<String>,
    pub(super) struck: &'a [Struck],
    pub(super) patience: Patience,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) violations: Vec<String>,
    pub(super) inversions: usize,
    pub(super) doubled: usize,
    pub(super) slowest_quiet: Duration,
    pub(super) slowest_after_strike: Duration,
}

pub(super) fn judge(case: &Case<'_>) -> Judgement {
    let mut seen = Judgement::default();
    each_once(case, &mut seen);
    in_order(case, &mut seen);
    nothing_before_its_time(case, &mut seen);
    nobody_else_waited(case, &mut seen);
    if seen.violations.len() > TOLD_MAX {
        let untold = seen.violations.len() - TOLD_MAX;
        seen.violations.truncate(TOLD_MAX);
        seen.violations.push(format!("… and {untold} more"));
    }
    seen
}

fn each_once(case: &Case<'_>, seen: &mut Judgement) {
    let mut times: HashMap<&str, usize> = HashMap::new();
    for applied in case.applied {
        *times.entry(&applied.event).or_default() += 1;
    }
    for published in case.published {
        let event = published.event();
        let wanted = usize::from(!case.dead.contains(&event));
        let came = times.remove(&*event).unwrap_or(0);
        seen.doubled += usize::from(came > 1);
        if came != wanted {
            seen.violations
                .push(format!("{event}: applied {came} times, not {wanted}"));
        }
    }
    let strangers = times
        .into_keys()
        .map(|event| format!("nobody published {event}, which was applied"));
    seen.violations.extend(strangers);
}

fn in_order(case: &Case<'_>, seen: &mut Judgement) {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    for applied in case.applied {
        let Some((key, number)) = place(&applied.event) else {
            continue;
        };
        let before = last.entry(key).or_default();
        if number < *before {
            seen.inversions += 1;
            seen.violations.push(format!(
                "{key}: {number} was applied after {before}, which came later"
            ));
        }
        *before = number.max(*before);
    }
}

fn nothing_before_its_time(case: &Case<'_>, seen: &mut Judgement) {
    for applied in case.applied {
        let Some((key, number)) = place(&applied.event) else {
            continue;
        };
        let too_early =
            |held: &&Held| held.key == key && number > held.dead && applied.at < held.ended;
        if let Some(held) = case.held.iter().find(too_early) {
            let dead = event(key, held.dead);
            seen.violations.push(format!(
                "{} ran though its key is held behind {dead}",
                applied.event
            ));
        }
    }
}

fn nobody_else_waited(case: &Case<'_>, seen: &mut Judgement) {
    let mut ended: HashMap<&str, u64> = HashMap::new();
    for applied in case.applied {
        ended.entry(&applied.event).or_insert(applied.at);
    }
    let felt = u64::try_from(case.patience.after_strike.as_nanos()).unwrap_or(u64::MAX);
    for published in case.published {
        if !case.healthy.contains(&published.key) {
            continue;
        }
        // What is not done at all was told already.
        let Some(&ended) = ended.get(&*published.event()) else {
            continue;
        };
        let strike = case
            .struck
            .iter()
            .filter(|strike| strike.from <= ended && strike.to.saturating_add(felt) >= published.at)
            .map(|strike| strike.to)
            .max();
        let from = strike.map_or(published.at, |to| to.max(published.at));
        let wait = Duration::from_nanos(ended.saturating_sub(from));
        let (slowest, most) = match strike {
            None => (&mut seen.slowest_quiet, case.patience.quiet),
            Some(_) => (&mut seen.slowest_after_strike, case.patience.after_strike),
        };
        *slowest = wait.max(*slowest);
        if wait > most {
            seen.violations.push(format!(
                "{} waited {wait:?}, at most {most:?} are explained",
                published.event()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Three events of the key `k` at seconds 1, 2 and 3; the second one is dead for good or replayed.
    struct Story {
        applied: Vec<(&'static str, u64)>,
        held: Option<u64>,
        dead: &'static [&'static str],
        healthy: bool,
        struck: Vec<(u64, u64)>,
    }

    fn judged(story: &Story) -> Judgement {
        let published: Vec<_> = (1..=3)
            .map(|number| Published {
                key: "k".into(),
                number,
                at: number * SECOND,
            })
            .collect();
        let applied: Vec<_> = story
            .applied
            .iter()
            .map(|(event, at)| Applied {
                event: (*event).into(),
                at: at * SECOND,
            })
            .collect();
        let held: Vec<_> = story
            .held
            .iter()
            .map(|ended| Held {
                key: "k".into(),
                dead: 2,
                ended: ended * SECOND,
            })
            .collect();
        let struck: Vec<_> = story
            .struck
            .iter()
            .map(|(from, to)| Struck {
                from: from * SECOND,
                to: to * SECOND,
            })
            .collect();
        judge(&Case {
            published: &published,
            applied: &applied,
            held: &held,
            dead: &story.dead.iter().map(|event| (*event).into()).collect(),
            healthy: &story.healthy.then(|| "k".into()).into_iter().collect(),
            struck: &struck,
            patience: Patience {
                quiet: Duration::from_secs(5),
                after_strike: Duration::from_secs(11),
            },
        })
    }

    fn released() -> Story {
        Story {
            applied: vec![("k.1", 1), ("k.3", 60)],
            held: Some(50),
            dead: &["k.2"],
            healthy: false,
            struck: Vec::new(),
        }
    }

    #[test]
    fn a_key_that_waits_until_it_is_released_holds() {
        let seen = judged(&released());
        assert_eq!(seen.violations, Vec::<String>::new());
        let replayed = Story {
            applied: vec![("k.1", 1), ("k.2", 55), ("k.3", 60)],
            dead: &[],
            ..released()
        };
        assert_eq!(judged(&replayed).violations, Vec::<String>::new());
    }

    #[test]
    fn what_runs_behind_a_hold_is_seen() {
        let early = Story {
            applied: vec![("k.1", 1), ("k.3", 49)],
            ..released()
        };
        assert_eq!(judged(&early).violations.len(), 1);
    }

    #[test]
    fn a_replay_behind_what_it_held_is_an_inversion() {
        let late = Story {
            applied: vec![("k.1", 1), ("k.3", 55), ("k.2", 60)],
            dead: &[],
            ..released()
        };
        let seen = judged(&late);
        assert_eq!((seen.inversions, seen.violations.len()), (1, 1));
    }

    #[test]
    fn what_is_lost_doubled_or_applied_though_dead_is_seen() {
        for applied in [
            vec![("k.1", 1)],
            vec![("k.1", 1), ("k.3", 60), ("k.3", 61)],
            vec![("k.1", 1), ("k.2", 55), ("k.3", 60)],
            vec![("k.1", 1), ("k.3", 60), ("x.1", 61)],
        ] {
            let seen = judged(&Story {
                applied,
                ..released()
            });
            assert_eq!(seen.violations.len(), 1, "{seen:?}");
        }
    }

    #[test]
    fn a_healthy_key_waits_no_longer_than_strikes_explain() {
        let healthy = |at: u64, struck: &[(u64, u64)]| {
            judged(&Story {
                applied: vec![("k.1", 1), ("k.2", 2), ("k.3", at)],
                held: None,
                dead: &[],
                healthy: true,
                struck: struck.to_vec(),
            })
        };
        for (at, struck, quiet, after) in [
            (7, vec![], 4, 0),
            (20, vec![(2, 10)], 0, 10),
            (12, vec![(4, 5)], 0, 7),
        ] {
            let seen = healthy(at, &struck);
            assert_eq!(seen.violations, Vec::<String>::new());
            let slowest = (
                seen.slowest_quiet.as_secs(),
                seen.slowest_after_strike.as_secs(),
            );
            assert_eq!(slowest, (quiet, after));
        }
        for (at, struck) in [(9, vec![]), (22, vec![(2, 10)]), (9, vec![(30, 40)])] {
            assert_eq!(healthy(at, &struck).violations.len(), 1, "{at} {struck:?}");
        }
    }
}
