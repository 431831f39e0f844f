//! Healthy events on other keys, published without pause; and how long each of them waited.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use argosy_testkit::random::Random;
use tokio::time::Instant;

use crate::{
    grounds::Grounds,
    storm::load::wall_ns,
    trial_worker::{Deed, Note, Seen},
};

/// Between two healthy events.
const EVERY: Duration = Duration::from_millis(100);

/// Keys that they are spread over: all partitions have some.
const KEYS: usize = 60;

/// How long a healthy event may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// If no process ended while it waited.
    pub(super) quiet: Duration,
    /// From the last end of a process while it waited.
    pub(super) after_death: Duration,
}

/// A healthy event, and when it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) event: String,
    pub(super) at: u64,
}

/// See the module page.
#[derive(Debug)]
pub(super) struct Flow {
    published: Vec<Published>,
    random: Random,
    due: Instant,
}

/// What was seen of all.
#[derive(Debug, Default)]
pub(super) struct Waited {
    pub(super) slowest_quiet: Duration,
    pub(super) slowest_after_death: Duration,
    pub(super) violations: Vec<String>,
}

impl Flow {
    pub(super) fn new(random: Random) -> Self {
        Self {
            published: Vec::new(),
            random,
            due: Instant::now(),
        }
    }

    pub(super) fn published(&self) -> &[Published] {
        &self.published
    }

    /// Publishes what is due.
    pub(super) async fn publish_due(
        &mut self,
        grounds: &Grounds,
        group: &str,
    ) -> anyhow::Result<()> {
        let now = Instant::now();
        let mut orders = Vec::new();
        while self.due <= now {
            self.due += EVERY;
            let key = format!("healthy-{}", self.random.index(KEYS));
            let event = format!("healthy-{}", self.published.len() + orders.len());
            orders.push((event, Deed::Done.order(group, &key)));
        }
        let at = wall_ns();
        grounds.publish_all(&orders).await?;
        let published = orders.into_iter().map(|(event, _)| Published { event, at });
        self.published.extend(published);
        Ok(())
    }

    /// Whether so many first events are done.
    pub(super) fn first_are_done(&self, count: usize, notes: &[Note]) -> bool {
        let done: BTreeSet<&str> = notes
            .iter()
            .filter(|note| note.seen == Seen::Done)
            .map(|note| &*note.event)
            .collect();
        let mut first = self.published.iter().take(count);
        first.all(|published| done.contains(&*published.event))
    }
}

/// How long each waited: from when it was published, or from the last death of a process while it waited.
pub(super) fn judge(
    published: &[Published],
    notes: &[Note],
    deaths: &[u64],
    patience: Patience,
) -> Waited {
    let mut done: HashMap<&str, u64> = HashMap::new();
    for note in notes.iter().filter(|note| note.seen == Seen::Done) {
        let at = done.entry(&note.event).or_insert(note.at);
        *at = note.at.min(*at);
    }
    let mut waited = Waited::default();
    for Published { event, at } in published {
        let Some(ended) = done.get(&**event).copied() else {
            waited.violations.push(format!("{event} is not done"));
            continue;
        };
        // A death makes itself felt for as long as it is allowed to, also to those that come later.
        let felt = patience.after_death.as_nanos() as u64;
        let death = deaths
            .iter()
            .filter(|death| **death <= ended && **death + felt >= *at)
            .max();
        let wait = |from: u64| Duration::from_nanos(ended.saturating_sub(from));
        let (wait, most) = match death {
            None => {
                waited.slowest_quiet = waited.slowest_quiet.max(wait(*at));
                (wait(*at), patience.quiet)
            }
            Some(death) => {
                let wait = wait(*death.max(at));
                waited.slowest_after_death = waited.slowest_after_death.max(wait);
                (wait, patience.after_death)
            }
        };
        if wait > most {
            waited.violations.push(format!(
                "{event} waited {wait:?}, at most {most:?} are allowed"
            ));
        }
    }
    waited
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn waited(at: u64, done: Option<u64>, deaths: &[u64]) -> Waited {
        let published = [Published {
            event: "e".into(),
            at: at * SECOND,
        }];
        let notes: Vec<Note> = done
            .into_iter()
            .map(|done| Note {
                seen: Seen::Done,
                event: "e".into(),
                group: "g".into(),
                process: 1,
                at: done * SECOND,
            })
            .collect();
        let deaths: Vec<u64> = deaths.iter().map(|at| at * SECOND).collect();
        let patience = Patience {
            quiet: Duration::from_secs(5),
            after_death: Duration::from_secs(11),
        };
        judge(&published, &notes, &deaths, patience)
    }

    #[test]
    fn a_wait_counts_from_the_last_death_that_it_met() {
        let fine = [
            (waited(100, Some(104), &[]), 4, 0),
            (waited(100, Some(110), &[101]), 0, 9),
            (waited(100, Some(120), &[101, 110]), 0, 10),
            (waited(100, Some(106), &[90]), 0, 6),
        ];
        for (seen, quiet, after_death) in fine {
            assert_eq!(seen.violations, Vec::<String>::new());
            let slowest = (
                seen.slowest_quiet.as_secs(),
                seen.slowest_after_death.as_secs(),
            );
            assert_eq!(slowest, (quiet, after_death));
        }
    }

    #[test]
    fn who_waits_too_long_or_for_ever_is_named() {
        for seen in [
            waited(100, None, &[]),
            waited(100, Some(106), &[]),
            waited(100, Some(106), &[80, 107]),
            waited(100, Some(113), &[101]),
        ] {
            assert_eq!(seen.violations.len(), 1, "{seen:?}");
        }
    }
}
