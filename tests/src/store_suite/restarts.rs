//! Crashes of the server under load: what was acknowledged is there afterwards, and no effect has two claimers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Context;
use argosy_kernel::Epoch;
use argosy_store::{
    Claim, ClaimAnswer, EffectId, EffectRow, EffectState, EventKey, Grouped, OutcomeRow, OwnerKey,
    Postgres, RecordedOutcome, Store, StoreError,
};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::await_store;
use crate::{
    servers::{self, Server as _},
    suite::progress,
};

/// Pairs of runs that want the same effects.
const PAIRS: u64 = 24;

/// So many outcomes are acknowledged between two kills.
const OUTCOMES_PER_KILL: u64 = 1_500;

const PATIENCE: Duration = Duration::from_secs(60);

/// What the server survived.
#[derive(Clone, Debug, Default)]
pub struct Restarts {
    kills: u32,
    claims: usize,
    outcomes: usize,
    refused: u64,
    recovered: Duration,
}

impl Restarts {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "kills": self.kills,
            "claims_acknowledged": self.claims,
            "outcomes_acknowledged": self.outcomes,
            "answers_unavailable": self.refused,
            "longest_recovery_ms": u64::try_from(self.recovered.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl fmt::Display for Restarts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills under load, {} claims and {} outcomes acknowledged, {} answers unavailable, \
             back within {} ms of each restart",
            self.kills,
            self.claims,
            self.outcomes,
            self.refused,
            self.recovered.as_millis()
        )
    }
}

/// What the runs were told, kept outside the store.
#[derive(Debug, Default)]
struct Told {
    /// Per effect, the runs that were granted a claim, and the newest number.
    granted: BTreeMap<EffectId, (BTreeSet<Uuid>, i64)>,
    /// Per effect, the answer whose recording was acknowledged.
    recorded: BTreeMap<EffectId, Bytes>,
}

/// The load and its books.
#[derive(Debug)]
struct Load {
    grouped: Grouped,
    owner: OwnerKey,
    told: Mutex<Told>,
    outcomes: AtomicU64,
    refused: AtomicU64,
    ends: AtomicBool,
}

/// Kills the server so many times under load, then compares what it holds with what it said.
pub(super) async fn strike(
    server: &servers::Postgres,
    kills: u32,
    violations: &mut Vec<String>,
) -> anyhow::Result<Restarts> {
    let postgres = Arc::new(Postgres::connect(&server.url(), 10)?);
    let store: Arc<dyn Store> = Arc::<Postgres>::clone(&postgres);
    let salt = Uuid::new_v4();
    let owner = OwnerKey {
        worker: Arc::from(format!("restarts-{salt}")),
        topic: Arc::from("orders.v1"),
        partition: 0,
    };
    store.take_owners(salt, vec![owner.clone()]).await?;
    let (tracker, tasks) = (TaskTracker::new(), TaskTracker::new());
    let load = Arc::new(Load {
        grouped: Grouped::start(Arc::clone(&store), &tracker),
        owner: owner.clone(),
        told: Mutex::default(),
        outcomes: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        ends: AtomicBool::new(false),
    });
    for pair in 0..PAIRS {
        for side in 0..2 {
            let load = Arc::clone(&load);
            tasks.spawn(async move { load.run(pair, side).await });
        }
    }
    tasks.close();

    let mut survived = Restarts::default();
    for kill in 1..=kills {
        load.await_outcomes().await?;
        tokio::task::block_in_place(|| server.kill())?;
        tokio::task::block_in_place(|| server.restart())?;
        let started = Instant::now();
        await_store(&*store).await?;
        survived.recovered = survived.recovered.max(started.elapsed());
        survived.kills = kill;
        progress(&format!("store: kill {kill} of {kills} survived"));
    }
    load.await_outcomes().await?;
    load.ends.store(true, Relaxed);
    timeout(PATIENCE, tasks.wait())
        .await
        .context("the runs do not end")?;

    let epochs = store.take_owners(salt, vec![owner]).await?;
    if epochs != [Epoch(2)] {
        violations.push(format!("restarts: the epoch after the first is {epochs:?}"));
    }
    survived.refused = load.refused.load(Relaxed);
    judge(&*store, &load, &mut survived, violations).await?;
    drop(load);
    postgres.close().await;
    Ok(survived)
}

impl Load {
    /// Claims one effect after another and records their outcomes; both sides of a pair want the same.
    async fn run(&self, pair: u64, side: u64) {
        for number in 0.. {
            if self.ends.load(Relaxed) {
                return;
            }
            let run = Uuid::from_u64_pair(pair << 32 | number, side);
            let id = EffectId {
                of: EventKey {
                    worker: Arc::clone(&self.owner.worker),
                    source: Arc::from("shop"),
                    event: Arc::from(format!("{}-{pair}-{number}", self.owner.worker)),
                },
                name: Arc::from("draft"),
                key: Arc::from("north"),
            };
            if let Some(number) = self.claim(&id, run).await {
                self.record(&id, number, run).await;
            }
        }
    }

    /// The claim's number, or none if another run has it.
    async fn claim(&self, id: &EffectId, run: Uuid) -> Option<i64> {
        loop {
            let claim = Claim {
                id: id.clone(),
                owner: self.owner.clone(),
                epoch: Epoch(1),
                run,
                body_hash: [0; 32],
                operation: Arc::from("north.draft"),
                request: Bytes::copy_from_slice(run.as_bytes()),
                hold: Duration::from_secs(3_600),
                over: None,
            };
            match self.heard(self.grouped.claim(claim).await) {
                None if self.ends.load(Relaxed) => return None,
                None => {}
                Some(ClaimAnswer::Granted { number, .. }) => {
                    let mut told = self.told();
                    let (runs, newest) = told.granted.entry(id.clone()).or_default();
                    runs.insert(run);
                    *newest = number.max(*newest);
                    return Some(number);
                }
                Some(ClaimAnswer::Found(_) | ClaimAnswer::Fenced) => return None,
            }
        }
    }

    async fn record(&self, id: &EffectId, number: i64, run: Uuid) {
        let answer = Bytes::from(format!("\"{run}\""));
        loop {
            let outcome = OutcomeRow {
                id: id.clone(),
                number,
                outcome: RecordedOutcome::Succeeded(answer.clone()),
            };
            if self.heard(self.grouped.record(outcome).await).is_some() {
                self.told().recorded.insert(id.clone(), answer);
                self.outcomes.fetch_add(1, Relaxed);
                return;
            }
            if self.ends.load(Relaxed) {
                return;
            }
        }
    }

    fn heard<T>(&self, answered: Result<T, StoreError>) -> Option<T> {
        if answered.is_err() {
            self.refused.fetch_add(1, Relaxed);
        }
        answered.ok()
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns in the midst of the load, when enough was acknowledged since it was asked.
    async fn await_outcomes(&self) -> anyhow::Result<()> {
        let enough = self.outcomes.load(Relaxed) + OUTCOMES_PER_KILL;
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        timeout(PATIENCE, async {
            while self.outcomes.load(Relaxed) < enough {
                looks.tick().await;
            }
        })
        .await
        .context("the store makes no progress under load")
    }
}

/// Compares what the store holds with what the runs were told.
async fn judge(
    store: &dyn Store,
    load: &Load,
    survived: &mut Restarts,
    violations: &mut Vec<String>,
) -> anyhow::Result<()> {
    let (granted, recorded) = {
        let mut told = load.told();
        let told = std::mem::take(&mut *told);
        (told.granted, told.recorded)
    };
    survived.claims = granted.len();
    survived.outcomes = recorded.len();
    let ids: Vec<_> = granted.keys().cloned().collect();
    for ids in ids.chunks(500) {
        let events = ids.iter().map(|id| id.of.clone()).collect();
        for (id, rows) in ids.iter().zip(store.recall(events).await?) {
            let (runs, number) = &granted[id];
            if runs.len() > 1 {
                violations.push(format!(
                    "restarts: {id:?} was granted to {} runs",
                    runs.len()
                ));
            }
            violations.extend(lost(rows.first(), *number, recorded.get(id)));
        }
    }
    Ok(())
}

fn lost(row: Option<&EffectRow>, number: i64, recorded: Option<&Bytes>) -> Option<String> {
    let Some(row) = row else {
        return Some(format!(
            "restarts: claim {number} was acknowledged and is gone"
        ));
    };
    if row.number < number {
        return Some(format!("restarts: claim {number} of {row:?} is gone"));
    }
    match (&row.state, recorded) {
        (EffectState::Succeeded(answer), Some(recorded)) if answer == recorded => None,
        (_, Some(_)) => Some(format!("restarts: the outcome of {row:?} is gone")),
        (_, None) => None,
    }
}
