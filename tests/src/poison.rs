//! Records that kill: one that is no order, one whose handler panics, one whose run never ends, one that ends its
//! process; and plain kills, which condemn nobody. On Kafka, with real processes that are started again when they end.
//!
//! Invariant: a stream of healthy events on other keys runs from beginning to end; each of them is judged by how long
//! it waited.

mod flow;
mod records;
mod supervised;

use std::{collections::BTreeMap, time::Duration};

use argosy_testkit::random::Random;
use serde_json::{Value, json};
use tokio::time::Instant;

use self::{
    flow::{Flow, Patience, judge},
    records::{Poison, all},
    supervised::Fleet,
};
use crate::{
    bad_input::{
        kcat::{self, Written},
        letter,
    },
    grounds::{Grounds, Projected, WorkerSettings},
    storm::load::wall_ns,
    suite::{Folder, Verdict, progress},
    trial_worker::{Deed, Seen},
};

const GROUP: &str = "poison";
const INSTANCES: u32 = 2;
const DEAD_LETTERS: &str = "argosy.dead-letters.v1";
const ORDERS: &str = "argosy.order-events.v1";

/// Attempts of a record that fails.
const ATTEMPTS_MAX: u32 = 2;

/// Deaths of its process while a record runs alone, before it is dead.
const DEATHS: u32 = 3;

const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
const RUN_DEADLINE: Duration = Duration::from_secs(4);

/// Other keys go on within the session timeout and this much.
const GRACE: Duration = Duration::from_secs(5);

/// Without a death, nobody waits longer than this.
const QUIET_MAX: Duration = Duration::from_secs(5);

const DIES_WITHIN: Duration = Duration::from_secs(40);
const CRASHES_WITHIN: Duration = Duration::from_secs(120);
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

/// Plain kills, each while one and the same record runs.
const KILLS: u32 = 3;

/// How long that record runs; it ends before the run's deadline.
const INNOCENT_MS: u64 = 2_500;

/// Records of a batch that are running at a kill.
const INNOCENTS: u32 = 6;

/// What came of it.
#[derive(Debug, Default)]
pub struct PoisonReport {
    /// Each is a sentence.
    pub violations: Vec<String>,
    seed: u64,
    cases: BTreeMap<&'static str, String>,
    kills: u32,
    deaths: usize,
    healthy: usize,
    slowest_quiet_s: f64,
    slowest_after_death_s: f64,
}

impl Verdict for PoisonReport {
    fn to_json(&self) -> Value {
        json!({
            "verdict": if self.violations.is_empty() { "holds" } else { "violated" },
            "seed": self.seed,
            "violations": self.violations,
            "cases": self.cases,
            "plain_kills": self.kills,
            "processes_ended": self.deaths,
            "healthy_events": self.healthy,
            "slowest_healthy_s": { "quiet": self.slowest_quiet_s, "after_a_death": self.slowest_after_death_s },
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

/// Writes the poison, kills, and judges what came of all.
///
/// # Errors
///
/// If the grounds, a process or kcat cannot be run.
pub async fn run(folder: Folder, seed: u64) -> anyhow::Result<PoisonReport> {
    let grounds = Grounds::start(folder, Projected::No, &format!("poison://{seed}")).await?;
    let ran = run_on(&grounds, seed).await;
    grounds.stop(
        !ran.as_ref()
            .is_ok_and(|report| report.violations.is_empty()),
    );
    ran
}

async fn run_on(grounds: &Grounds, seed: u64) -> anyhow::Result<PoisonReport> {
    let mut report = PoisonReport {
        seed,
        ..PoisonReport::default()
    };
    let settings = WorkerSettings {
        session_timeout_ms: SESSION_TIMEOUT.as_millis() as u64,
        run_deadline_ms: RUN_DEADLINE.as_millis() as u64,
        attempts_max: ATTEMPTS_MAX,
        ..WorkerSettings::default()
    };
    let processes = (0..INSTANCES).map(|n| grounds.worker(GROUP, n, &settings));
    let mut bench = Bench {
        grounds,
        fleet: Fleet::start(processes.collect())?,
        flow: Flow::new(Random::new(seed)),
    };
    bench.goes_on("the first healthy events").await?;
    let poison = all(seed);
    for record in &poison {
        progress(&format!("poison: {}", record.name));
        kcat::write(&grounds.bootstrap(), ORDERS, &record.raw)?;
        let within = if record.ends_processes {
            CRASHES_WITHIN
        } else {
            DIES_WITHIN
        };
        bench.until_dead(&record.event, within).await?;
    }
    bench.goes_on("after the poison").await?;
    let crashed = bench.fleet.ends().len();
    report.kills = bench.kill_plainly(seed).await?;
    bench.goes_on("after the kills").await?;
    bench.all_done().await?;
    report.deaths = bench.fleet.ends().len();
    compare(&bench, &poison, &mut report)?;
    deaths_alone(&bench, &poison, crashed, &mut report)?;
    judge_flow(&bench, &mut report)?;
    Ok(report)
}

struct Bench<'a> {
    grounds: &'a Grounds,
    fleet: Fleet,
    flow: Flow,
}

impl Bench<'_> {
    /// One turn: processes that ended are started, healthy events are published.
    async fn turn(&mut self) -> anyhow::Result<()> {
        self.fleet.tend()?;
        self.flow.publish_due(self.grounds, GROUP).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(())
    }

    /// Turns until all healthy events that are published now are done.
    async fn goes_on(&mut self, when: &str) -> anyhow::Result<()> {
        self.turn().await?;
        let published = self.flow.published().len();
        let deadline = Instant::now() + SETTLE_WITHIN;
        while !self.flow.first_are_done(published, &self.grounds.notes()?) {
            anyhow::ensure!(Instant::now() < deadline, "other keys do not go on: {when}");
            self.turn().await?;
        }
        Ok(())
    }

    async fn until_dead(&mut self, event: &str, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        loop {
            self.turn().await?;
            let letters = kcat::read(&self.grounds.bootstrap(), DEAD_LETTERS)?;
            if letters
                .iter()
                .any(|letter| letter.header("ce_id") == Some(event))
            {
                return Ok(());
            }
            // What is not dead in time is found by the comparison.
            if Instant::now() > deadline {
                return Ok(());
            }
        }
    }

    /// kill -9, three times, each while the same innocent record runs beside others.
    async fn kill_plainly(&mut self, seed: u64) -> anyhow::Result<u32> {
        let mut killed_at = 0;
        let chosen = format!("innocent-{seed}-0-0");
        for kill in 0..KILLS {
            let batch: Vec<_> = (0..INNOCENTS)
                .map(|n| {
                    let id = format!("innocent-{seed}-{kill}-{n}");
                    let order = Deed::Last(INNOCENT_MS).order(GROUP, &id);
                    (id, order)
                })
                .collect();
            self.grounds.publish_all(&batch).await?;
            let deadline = Instant::now() + SETTLE_WITHIN;
            let victim = loop {
                let notes = self.grounds.notes()?;
                let runs = notes.iter().find(|note| {
                    note.event == chosen && note.seen == Seen::Began && note.at > killed_at
                });
                if let Some(note) = runs {
                    break note.process;
                }
                anyhow::ensure!(Instant::now() < deadline, "{chosen} does not run again");
                self.turn().await?;
            };
            progress(&format!("poison: plain kill {}", kill + 1));
            self.fleet.kill(victim);
            killed_at = wall_ns();
        }
        let deadline = Instant::now() + SETTLE_WITHIN;
        let is_done = |notes: &[crate::trial_worker::Note]| {
            notes
                .iter()
                .any(|note| note.event == chosen && note.seen == Seen::Done)
        };
        while !is_done(&self.grounds.notes()?) {
            anyhow::ensure!(
                Instant::now() < deadline,
                "{chosen} is not done after the kills"
            );
            self.turn().await?;
        }
        Ok(KILLS)
    }

    async fn all_done(&mut self) -> anyhow::Result<()> {
        let published = self.flow.published().len();
        let deadline = Instant::now() + SETTLE_WITHIN;
        while !self.flow.first_are_done(published, &self.grounds.notes()?) {
            anyhow::ensure!(Instant::now() < deadline, "not all healthy events are done");
            self.fleet.tend()?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// Each poison is dead with its cause, byte for byte, and nobody else is.
fn compare(bench: &Bench<'_>, poison: &[Poison], report: &mut PoisonReport) -> anyhow::Result<()> {
    let bootstrap = bench.grounds.bootstrap();
    let orders = kcat::read(&bootstrap, ORDERS)?;
    let letters = kcat::read(&bootstrap, DEAD_LETTERS)?;
    for record in poison {
        let is_its = |found: &&Written| found.header("ce_id") == Some(&*record.event);
        let found: Vec<_> = letters.iter().filter(is_its).collect();
        let (came, wrong) = match (orders.iter().find(is_its), &*found) {
            (None, _) => (
                "lost".to_owned(),
                vec!["the record is not on its topic".to_owned()],
            ),
            (Some(order), [letter]) => {
                let death = letter::Death {
                    worker: GROUP,
                    cause: record.cause,
                    attempts: record.attempts,
                };
                let came = letter.header("argosy.dlq.cause").unwrap_or("none");
                (
                    came.to_owned(),
                    letter::faults(&record.raw, death, order, letter),
                )
            }
            (Some(_), found) => (
                format!("{} letters", found.len()),
                vec![format!("has {} dead letters", found.len())],
            ),
        };
        report.cases.insert(record.name, came);
        report.violations.extend(
            wrong
                .into_iter()
                .map(|what| format!("{}: {what}", record.name)),
        );
    }
    let others = letters
        .iter()
        .filter_map(|letter| letter.header("ce_id"))
        .filter(|id| poison.iter().all(|record| record.event != *id));
    report
        .violations
        .extend(others.map(|id| format!("{id} is condemned and is no poison")));
    Ok(())
}

/// A record that ends processes ends so many as are needed: once beside others at most, and three times alone.
fn deaths_alone(
    bench: &Bench<'_>,
    poison: &[Poison],
    crashed: usize,
    report: &mut PoisonReport,
) -> anyhow::Result<()> {
    let notes = bench.grounds.notes()?;
    let mut wanted = 0;
    for record in poison.iter().filter(|record| record.ends_processes) {
        let runs = notes
            .iter()
            .filter(|note| note.event == record.event && note.seen == Seen::Began)
            .count();
        wanted += runs;
        if !(3..=4).contains(&runs) {
            report.violations.push(format!(
                "{}: ran {runs} times, not three or four",
                record.name
            ));
        }
    }
    if crashed != wanted {
        report.violations.push(format!(
            "{crashed} processes ended by poison that ran {wanted} times"
        ));
    }
    Ok(())
}

fn judge_flow(bench: &Bench<'_>, report: &mut PoisonReport) -> anyhow::Result<()> {
    let patience = Patience {
        quiet: QUIET_MAX,
        after_death: SESSION_TIMEOUT + GRACE,
    };
    let notes = bench.grounds.notes()?;
    let seen = judge(bench.flow.published(), &notes, bench.fleet.ends(), patience);
    report.healthy = bench.flow.published().len();
    report.slowest_quiet_s = seen.slowest_quiet.as_secs_f64();
    report.slowest_after_death_s = seen.slowest_after_death.as_secs_f64();
    report.violations.extend(seen.violations);
    Ok(())
}
