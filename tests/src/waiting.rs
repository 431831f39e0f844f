//! Half of all keys wait for a dependency that is down, on real servers: the frontier stays young, the others do not
//! notice, memory stays within its budget, a kill runs little again, and in the end all is done once and in order.

mod judge;
mod load;
pub(crate) mod once;
mod watch;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use self::{
    judge::{Case, Findings},
    load::{Book, Load},
    watch::Watch,
};
use crate::{
    grounds::{Grounds, Projected, WorkerSettings},
    storm::fleet::Process,
    suite::{Folder, Verdict, progress},
    trial_worker::Class,
};

const GROUP: &str = "waiting";

/// Before anything is measured: connections are made, partitions owned.
const WARM_UP: Duration = Duration::from_secs(8);

/// The pace at which what waited must at least be worked off, records per second.
const DRAIN_RATE_MIN: usize = 200;

/// What must be there beside the drain's pace: the breaker's last interval, and a look.
const DRAIN_BASE: Duration = Duration::from_secs(90);

/// What the suite is asked.
#[derive(Clone, Debug)]
pub struct WaitingSettings {
    /// Decides the keys.
    pub seed: u64,
    /// How long the dependency is down.
    pub outage: Duration,
    /// Records per second.
    pub rate: u32,
    /// Distinct keys; every other one waits.
    pub keys: usize,
    /// Of a hundred healthy keys, how many have records that call a supplier.
    pub effects_percent: usize,
    /// Where data and logs go.
    pub folder: Folder,
}

/// What was found.
#[derive(Debug)]
pub struct WaitingReport {
    settings: WaitingSettings,
    findings: Findings,
    published: usize,
    drained: Option<Duration>,
}

impl Verdict for WaitingReport {
    fn to_json(&self) -> Value {
        let Self {
            settings,
            findings,
            published,
            drained,
        } = self;
        json!({
            "verdict": if findings.violations.is_empty() { "holds" } else { "violated" },
            "violations": findings.violations,
            "seed": settings.seed,
            "rate": settings.rate,
            "outage_s": settings.outage.as_secs(),
            "healthy_with_effects_percent": settings.effects_percent,
            "published": published,
            "baseline_per_s": findings.baseline,
            "healthy_least_percent": findings.healthy_least_percent,
            "healthy_percent_by_stretch": findings.healthy_percent,
            "frontier_age_max_s": findings.frontier_age_max_ms as f64 / 1_000.0,
            "resident_max_mib": findings.resident_max_kib / 1_024,
            "parked_rows_max": findings.parked_max,
            "recovered_after_kill_s": findings.recovered_s,
            "runs_again": findings.reruns,
            "oldest_run_again_ms": findings.oldest_rerun_ms,
            "drained_s": drained.map(|drained| drained.as_secs()),
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.findings.violations.is_empty())
    }
}

/// Runs and judges.
///
/// # Errors
///
/// If the grounds cannot be started, or an event is not acknowledged.
pub async fn run(settings: WaitingSettings) -> anyhow::Result<WaitingReport> {
    let grounds = Grounds::start(settings.folder.clone(), Projected::No, "waiting://").await?;
    let grounds = Arc::new(grounds);
    let ran = run_on(&grounds, settings).await;
    let holds = ran.as_ref().is_ok_and(|report| report.exit_code() == 0);
    if let Ok(grounds) = Arc::try_unwrap(grounds) {
        grounds.stop(!holds);
    }
    ran
}

async fn run_on(
    grounds: &Arc<Grounds>,
    settings: WaitingSettings,
) -> anyhow::Result<WaitingReport> {
    let mut worker = grounds.worker(GROUP, 0, &WorkerSettings::default());
    worker.start()?;
    let book = Book::default();
    let mut watch = Watch::start(grounds, GROUP, book.clone()).await?;
    let load = Load::start(Arc::clone(grounds), &settings, book.clone());
    watch.until(WARM_UP, &mut worker, "warm-up").await?;

    let baseline = baseline(settings.outage);
    let from = watch.second();
    watch.until(baseline, &mut worker, "baseline").await?;
    let baseline = from..watch.second();

    let down = json!([{
        "match": { "supplier": Class::Natural.name() },
        "effect": { "status": 503, "code": "down" },
    }]);
    grounds.script_rules(&down).await?;
    let from = watch.second();
    watch
        .until(settings.outage / 2, &mut worker, "down")
        .await?;
    let killed = watch.killed(&mut worker)?;
    watch
        .until(settings.outage / 2, &mut worker, "down")
        .await?;
    let outage = from..watch.second();

    load.stop().await?;
    grounds.script_rules(&json!([])).await?;
    let drained = drain(&mut watch, &mut worker, &book).await?;
    worker.terminate();
    tokio::task::block_in_place(|| worker.await_end(Duration::from_secs(45)))?;
    let left = watch.left().await?;
    let receipts = watch.receipts()?;
    let findings = judge::judge(&Case {
        baseline,
        outage,
        killed,
        seen: watch.seen(),
        book: &book.entries(),
        receipts: &receipts,
        drained: drained.is_some(),
        left,
    });
    Ok(WaitingReport {
        published: book.entries().published(),
        settings,
        findings,
        drained,
    })
}

/// Long enough to be a measure, short beside the outage.
fn baseline(outage: Duration) -> Duration {
    (outage / 4).clamp(Duration::from_secs(15), Duration::from_secs(60))
}

/// Waits until all that was published is done; `None` if it is not in time.
async fn drain(
    watch: &mut Watch,
    worker: &mut Process,
    book: &Book,
) -> anyhow::Result<Option<Duration>> {
    let began = Instant::now();
    let waiting = book.entries().published() - watch.done();
    progress(&format!("waiting: {waiting} records are to be worked off"));
    let pace = u64::try_from(waiting / DRAIN_RATE_MIN).unwrap_or(u64::MAX);
    let patience = DRAIN_BASE + Duration::from_secs(pace);
    while began.elapsed() < patience {
        watch
            .until(Duration::from_secs(1), worker, "draining")
            .await?;
        if watch.done() == book.entries().published() {
            return Ok(Some(began.elapsed()));
        }
    }
    Ok(None)
}
