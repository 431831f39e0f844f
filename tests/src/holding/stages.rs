//! What happens, stage by stage: keys break, everything is struck, and an operator ends the holds.
//!
//! Invariant: a moment that is judged is taken before what it allows is asked for.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
    time::Duration,
};

use serde_json::json;

use super::{
    GRACE, SESSION_TIMEOUT, Seen,
    judge::{Applied, Held, Struck},
    operator,
    plan::{self, Fate},
    traffic::{Traffic, event, place},
};
use crate::{
    grounds::{Fault, Grounds, WorkerSettings, until},
    letters::Letter,
    storm::{fleet::Process, load::wall_ns},
    suite::progress,
};

const GROUP: &str = "holding";

/// Instances at first; one more joins.
const INSTANCES: u32 = 3;

const ATTEMPTS_MAX: u32 = 2;

/// How long each stage may take for what must come of it.
const WITHIN: Duration = Duration::from_secs(60);

/// How long a process that got SIGTERM may take.
const END_WITHIN: Duration = Duration::from_secs(40);

/// How long a server stays down.
const DOWN: Duration = Duration::from_secs(1);

/// What a supplier answers that takes no such order: nothing happened, and asking again may help only when it is mended.
const REFUSES: u16 = 400;

/// See the module page.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    grounds: &'a Arc<Grounds>,
    keys: Vec<(String, Fate)>,
    workers: Vec<Process>,
    traffic: Traffic,
    struck: Vec<(&'static str, Struck)>,
    /// By key: the number of its dead record, and its letter.
    broken: BTreeMap<String, (u64, Letter)>,
    held: Vec<Held>,
    waited_behind: usize,
    violations: Vec<String>,
}

impl<'a> Stage<'a> {
    pub(super) fn open(grounds: &'a Arc<Grounds>, seed: u64) -> anyhow::Result<Self> {
        let keys = plan::keys(seed);
        let settings = WorkerSettings {
            session_timeout_ms: SESSION_TIMEOUT.as_millis() as u64,
            attempts_max: ATTEMPTS_MAX,
            hold_after_dead: true,
            ..WorkerSettings::default()
        };
        // The last one joins later.
        let mut workers: Vec<_> = (0..=INSTANCES)
            .map(|n| grounds.worker(GROUP, n, &settings))
            .collect();
        for worker in workers.iter_mut().take(INSTANCES as usize) {
            worker.start()?;
        }
        let names = keys.iter().map(|(key, _)| key.clone()).collect();
        let traffic = Traffic::start(Arc::clone(grounds), GROUP, names, seed);
        Ok(Self {
            grounds,
            keys,
            workers,
            traffic,
            struck: Vec::new(),
            broken: BTreeMap::new(),
            held: Vec::new(),
            waited_behind: 0,
            violations: Vec::new(),
        })
    }

    /// Waits until all that was published on healthy keys by now is applied.
    pub(super) async fn goes_on(&mut self, when: &str) -> anyhow::Result<()> {
        progress(&format!("holding: other keys go on {when}"));
        let healthy: HashSet<&str> = self.of(|fate| fate == Fate::Healthy).collect();
        // From the first moment on there is something to wait for.
        until("traffic", WITHIN, async || {
            Ok((!self.traffic.published().is_empty()).then_some(()))
        })
        .await?;
        let wanted: Vec<String> = self
            .traffic
            .published()
            .iter()
            .filter(|published| healthy.contains(&*published.key))
            .map(super::traffic::Published::event)
            .collect();
        self.until_applied(&format!("other keys {when}"), &wanted)
            .await
    }

    async fn until_applied(&self, what: &str, wanted: &[String]) -> anyhow::Result<()> {
        until(what, WITHIN, async || {
            let applied: HashSet<String> =
                self.applied()?.into_iter().map(|one| one.event).collect();
            let is_all = wanted.iter().all(|event| applied.contains(event));
            Ok(is_all.then_some(()))
        })
        .await
    }

    fn of(&self, wanted: impl Fn(Fate) -> bool) -> impl Iterator<Item = &str> {
        let its = self.keys.iter().filter(move |(_, fate)| wanted(*fate));
        its.map(|(key, _)| &**key)
    }

    fn applied(&self) -> anyhow::Result<Vec<Applied>> {
        let receipts = self.grounds.receipts()?.into_iter();
        let applied = receipts.filter(|receipt| receipt.effect == "applied");
        Ok(applied
            .map(|receipt| Applied {
                event: receipt.our_reference,
                at: receipt.received_at,
            })
            .collect())
    }

    /// Some keys get a dead record, and are held.
    pub(super) async fn break_keys(&mut self) -> anyhow::Result<()> {
        progress("holding: some keys get a dead record");
        let faults = self.of(Fate::is_refused).map(|key| Fault {
            key: key.to_owned(),
            effect: json!({ "status": REFUSES }),
            times: None,
        });
        self.grounds.script(&faults.collect::<Vec<_>>()).await?;
        for (key, fate) in &self.keys {
            if let Some(deed) = fate.deed() {
                self.traffic.tell(key, deed);
            }
        }
        let wanted = self.of(|fate| fate != Fate::Healthy).count();
        let letters = until("every struck key is held", WITHIN, async || {
            let letters = operator::letters(self.grounds, true)?;
            Ok((letters.len() >= wanted).then_some(letters))
        })
        .await?;
        for letter in letters {
            if let Some((key, number)) = place(&letter.event) {
                self.broken.insert(key.to_owned(), (number, letter.clone()));
            }
        }
        anyhow::ensure!(
            self.broken.len() == wanted,
            "{} keys are held, not {wanted}",
            self.broken.len()
        );
        // A second dead one, behind the first.
        for (key, fate) in &self.keys {
            if let (Fate::LeftTwice, Some(deed)) = (fate, fate.deed()) {
                self.traffic.tell(key, deed);
            }
        }
        Ok(())
    }

    /// A rebalance, the store's death, and a restart of everything.
    pub(super) async fn strike_all(&mut self) -> anyhow::Result<()> {
        self.strike("an instance joins", |stage| {
            stage.workers[INSTANCES as usize].start()
        })
        .await?;
        self.strike("an instance leaves", |stage| {
            stage.workers[0].terminate();
            stage.workers[0].await_end(END_WITHIN)
        })
        .await?;
        self.strike("postgresql is killed", |stage| {
            stage.grounds.bounce_store(DOWN)
        })
        .await?;
        self.strike("everything is started again", Self::restart_all)
            .await?;
        self.grounds.await_gateway().await?;
        self.still_held("after everything was started again").await
    }

    async fn strike(
        &mut self,
        name: &'static str,
        strike: impl FnOnce(&mut Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        progress(&format!("holding: {name}"));
        let from = wall_ns();
        strike(self)?;
        let to = wall_ns();
        self.struck.push((name, Struck { from, to }));
        self.goes_on(&format!("after: {name}")).await?;
        self.note_ends();
        Ok(())
    }

    fn restart_all(&mut self) -> anyhow::Result<()> {
        // One has no time to let go of anything.
        self.workers[1].kill();
        self.workers.iter_mut().for_each(Process::terminate);
        for worker in &mut self.workers {
            worker.await_end(END_WITHIN)?;
        }
        self.grounds.bounce_all(DOWN)?;
        self.workers.iter_mut().try_for_each(Process::start)
    }

    /// A worker that ended by itself is a fault of its own.
    fn note_ends(&mut self) {
        for worker in &mut self.workers {
            if let Some(status) = worker.ended() {
                self.violations
                    .push(format!("{} ended by itself: {status}", worker.name()));
            }
        }
    }

    /// The same keys are held behind the same records.
    async fn still_held(&mut self, when: &str) -> anyhow::Result<()> {
        let wanted: BTreeSet<&str> = self
            .broken
            .values()
            .map(|(_, letter)| &*letter.event)
            .collect();
        let held = operator::letters(self.grounds, true)?;
        let found: BTreeSet<&str> = held.iter().map(|letter| &*letter.event).collect();
        if found != wanted {
            let wrong = format!("{when} {found:?} hold their keys, not {wanted:?}");
            self.violations.push(wrong);
        }
        Ok(())
    }

    /// Behind each dead record something waits, and its timeline says for what.
    pub(super) async fn look_at_waiting(&mut self) -> anyhow::Result<()> {
        progress("holding: looking at what waits");
        let broken = self.broken.clone();
        until(
            "something waits behind every dead record",
            WITHIN,
            async || {
                let published = self.traffic.published();
                let behind = |key: &str, dead: u64| {
                    published
                        .iter()
                        .any(|one| one.key == key && one.number > dead)
                };
                let all = broken.iter().all(|(key, (dead, _))| behind(key, *dead));
                Ok((all && self.traffic.has_told_all()).then_some(()))
            },
        )
        .await?;
        self.waited_behind = self
            .traffic
            .published()
            .iter()
            .filter(|one| {
                broken
                    .get(&one.key)
                    .is_some_and(|(dead, _)| one.number > *dead)
            })
            .count();
        for (key, (dead, _)) in &broken {
            let next = event(key, dead + 1);
            until(&format!("{next} waits for a hold"), WITHIN, async || {
                Ok(operator::waits_for_hold(self.grounds, &next)?.then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// Keys of a fate with their dead records, of which each is about to be ended.
    fn begin_end(&mut self, wanted: impl Fn(Fate) -> bool) -> Vec<(String, Letter)> {
        let keys: Vec<String> = self.of(wanted).map(str::to_owned).collect();
        let ended = wall_ns();
        let mut letters = Vec::new();
        for key in keys {
            let (dead, letter) = self.broken[&key].clone();
            self.held.push(Held {
                key: key.clone(),
                dead,
                ended,
            });
            letters.push((key, letter));
        }
        letters
    }

    /// An operator lets some keys go on without their dead records.
    pub(super) async fn release_some(&mut self) -> anyhow::Result<()> {
        progress("holding: some keys are released");
        for (_, letter) in self.begin_end(|fate| fate == Fate::Released) {
            operator::release(self.grounds, &letter.id)?;
        }
        self.until_free(|fate| fate == Fate::Released).await
    }

    /// Waits until keys are held no more and all that waited there is applied.
    async fn until_free(&self, wanted: impl Fn(Fate) -> bool) -> anyhow::Result<()> {
        let keys: BTreeSet<&str> = self.of(wanted).collect();
        let waited: Vec<String> = self
            .traffic
            .published()
            .iter()
            .filter(|one| keys.contains(&*one.key) && one.number > self.broken[&one.key].0)
            .map(super::traffic::Published::event)
            .collect();
        until("keys are held no more", WITHIN, async || {
            let held = operator::letters(self.grounds, true)?;
            let is_free = held
                .iter()
                .all(|letter| place(&letter.event).is_none_or(|(key, _)| !keys.contains(key)));
            Ok(is_free.then_some(()))
        })
        .await?;
        self.until_applied("what waited behind dead records", &waited)
            .await
    }

    /// A replay before the supplier is mended dies again, and holds its key as before.
    pub(super) async fn replay_too_early(&mut self) -> anyhow::Result<()> {
        progress("holding: some are replayed too early");
        let keys: Vec<String> = self
            .of(|fate| fate == Fate::ReplayedTwice)
            .map(str::to_owned)
            .collect();
        for key in keys {
            let (_, letter) = self.broken[&key].clone();
            let (succeeded, said) = operator::replay(self.grounds, &letter.id)?;
            if succeeded {
                self.violations
                    .push(format!("{} is done though it is refused", letter.event));
            }
            let now = operator::letters(self.grounds, true)?;
            let found = now.iter().find(|one| one.id == letter.id);
            if !found.is_some_and(|one| one.deaths == letter.deaths + 1 && one.state == "dead") {
                self.violations.push(format!(
                    "after a replay that had to fail {} is {found:?}: {said}",
                    letter.event
                ));
            }
        }
        Ok(())
    }

    /// The supplier is mended: each replay is done, and ends the hold.
    pub(super) async fn replay_in_time(&mut self) -> anyhow::Result<()> {
        progress("holding: the supplier is mended, and what it refused is replayed");
        self.grounds.script(&[]).await?;
        for (_, letter) in self.begin_end(Fate::is_refused) {
            let (succeeded, said) = operator::replay(self.grounds, &letter.id)?;
            if !succeeded {
                self.violations
                    .push(format!("the replay of {}: {said}", letter.event));
            }
        }
        self.until_free(Fate::is_refused).await
    }

    /// All that is still held is released, and what a second dead record holds then as well.
    pub(super) async fn release_all(&mut self) -> anyhow::Result<()> {
        progress("holding: all is released");
        let left = |fate| matches!(fate, Fate::Left | Fate::LeftTwice);
        self.begin_end(left);
        operator::release_all(self.grounds)?;
        let twice: Vec<String> = self
            .of(|fate| fate == Fate::LeftTwice)
            .map(str::to_owned)
            .collect();
        let again = until("the second dead record holds its key", WITHIN, async || {
            let held = operator::letters(self.grounds, true)?;
            let is_second = |letter: &&Letter| {
                place(&letter.event).is_some_and(|(key, number)| {
                    twice.iter().any(|twice| twice == key) && number > self.broken[key].0
                })
            };
            let seconds: Vec<Letter> = held.iter().filter(is_second).cloned().collect();
            let is_all = seconds.len() == twice.len() && held.len() == seconds.len();
            Ok(is_all.then_some(seconds))
        })
        .await?;
        let ended = wall_ns();
        for letter in again {
            if let Some((key, dead)) = place(&letter.event) {
                self.held.push(Held {
                    key: key.to_owned(),
                    dead,
                    ended,
                });
            }
        }
        operator::release_all(self.grounds)?;
        until("nothing is held", WITHIN, async || {
            Ok(operator::letters(self.grounds, true)?
                .is_empty()
                .then_some(()))
        })
        .await
    }

    /// Traffic ends, everything settles, the workers stop.
    pub(super) async fn end(self) -> anyhow::Result<Seen> {
        progress("holding: everything settles");
        let Self {
            grounds,
            keys,
            mut workers,
            traffic,
            mut violations,
            ..
        } = self;
        let published = traffic.end().await?;
        let letters = operator::letters(grounds, false)?;
        let dead: HashSet<&str> = letters.iter().map(|letter| &*letter.event).collect();
        let settled = until("everything settles", WITHIN, async || {
            let receipts = grounds.receipts()?;
            let applied: HashSet<&str> = receipts.iter().map(|one| &*one.our_reference).collect();
            let is_settled = |event: &str| applied.contains(event) || dead.contains(event);
            let all = published.iter().all(|one| is_settled(&one.event()));
            Ok(all.then_some(()))
        })
        .await;
        violations.extend(settled.err().map(|error| error.to_string()));
        for worker in &mut workers {
            worker.terminate();
        }
        for worker in &mut workers {
            if let Err(late) = worker.await_end(END_WITHIN + GRACE) {
                violations.push(late.to_string());
            }
        }
        let receipts = grounds.receipts()?.into_iter();
        let applied = receipts
            .filter(|receipt| receipt.effect == "applied")
            .map(|receipt| Applied {
                event: receipt.our_reference,
                at: receipt.received_at,
            });
        Ok(Seen {
            applied: applied.collect(),
            letters: operator::letters(grounds, false)?,
            keys,
            published,
            held: self.held,
            struck: self.struck,
            waited_behind: self.waited_behind,
            violations,
        })
    }
}
