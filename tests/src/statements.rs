//! How many statements a record costs the store: none without effects, and a few per group with them, counted by
//! PostgreSQL itself while nobody but one worker asks it.

mod counted;

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use self::counted::{Counted, Counter};
use crate::{
    grounds::{Fault, Grounds, Projected, WorkerSettings, until},
    suite::{Folder, Verdict, progress},
    trial_worker::{Class, Deed, Patience, Seen},
};

const GROUP: &str = "statements";

/// Records before anything is counted: connections are made, partitions owned.
const WARM_UP: usize = 200;

const SETTLE_WITHIN: Duration = Duration::from_secs(90);

/// A commit of offsets, which the store must not hear of, comes within it.
const AFTERMATH: Duration = Duration::from_secs(3);

/// How long the supplier takes.
const LATENCY_MS: u64 = 20;

/// What was counted.
#[derive(Debug)]
pub struct StatementsReport {
    /// Each is a sentence.
    pub violations: Vec<String>,
    phases: Vec<(&'static str, Phase)>,
}

#[derive(Debug)]
struct Phase {
    records: usize,
    seconds: f64,
    counted: Counted,
}

impl Verdict for StatementsReport {
    fn to_json(&self) -> Value {
        let phases: serde_json::Map<String, Value> = self
            .phases
            .iter()
            .map(|(name, phase)| {
                (
                    (*name).to_owned(),
                    phase.counted.to_json(phase.records, phase.seconds),
                )
            })
            .collect();
        json!({
            "verdict": if self.violations.is_empty() { "holds" } else { "violated" },
            "violations": self.violations,
            "phases": phases,
        })
    }

    fn exit_code(&self) -> u8 {
        u8::from(!self.violations.is_empty())
    }
}

/// What one phase publishes.
#[derive(Clone, Copy, Debug)]
struct Load {
    name: &'static str,
    deed: Deed,
    records: usize,
    /// Records per second; `None` is all at once.
    rate: Option<usize>,
}

/// Counts, phase by phase.
///
/// # Errors
///
/// If the grounds cannot be started, or the records are not done in time.
pub async fn run(folder: Folder) -> anyhow::Result<StatementsReport> {
    let grounds = Grounds::start(folder, Projected::No, "statements://").await?;
    let ran = run_on(&grounds).await;
    grounds.stop(
        !ran.as_ref()
            .is_ok_and(|report| report.violations.is_empty()),
    );
    ran
}

async fn run_on(grounds: &Grounds) -> anyhow::Result<StatementsReport> {
    let counter = Counter::connect(&grounds.store_url()).await?;
    let slow = Fault {
        key: "*".to_owned(),
        effect: json!({ "latency_ms": LATENCY_MS }),
        times: None,
    };
    grounds.script(&[slow]).await?;
    let mut worker = grounds.worker(GROUP, 0, &WorkerSettings::default());
    worker.start()?;
    let call = Deed::Call(Class::Natural, Patience::Patient);
    let load = |name, deed, records, rate| Load {
        name,
        deed,
        records,
        rate,
    };
    carry_out(grounds, &load("warm-up", call, WARM_UP, None)).await?;
    let mut report = StatementsReport {
        violations: Vec::new(),
        phases: Vec::new(),
    };
    for load in [
        load("without effects", Deed::Done, 5_000, None),
        load("one effect, all at once", call, 5_000, None),
        load("one effect, 200 a second", call, 3_000, Some(200)),
    ] {
        progress(&format!("statements: {}", load.name));
        counter.reset().await?;
        let began = Instant::now();
        carry_out(grounds, &load).await?;
        let seconds = began.elapsed().as_secs_f64();
        tokio::time::sleep(AFTERMATH).await;
        let counted = counter.read().await?;
        if load.deed == Deed::Done && counted.statements() > 0 {
            report.violations.push(format!(
                "{} records without effects cost {} statements: {counted:?}",
                load.records,
                counted.statements()
            ));
        }
        // One a second and worker, and one at each end of what was measured.
        let asked_max = (seconds + AFTERMATH.as_secs_f64()).ceil() as i64 + 2;
        if counted.every_second() > asked_max {
            report.violations.push(format!(
                "plan steps were asked for {} times in {seconds:.1} s",
                counted.every_second()
            ));
        }
        let phase = Phase {
            records: load.records,
            seconds,
            counted,
        };
        report.phases.push((load.name, phase));
    }
    // A count that sees nothing at all would find no statement anywhere.
    let sees = report
        .phases
        .iter()
        .any(|(_, phase)| phase.counted.statements() > 0);
    if !sees {
        report
            .violations
            .push("no statement was counted for any effect".to_owned());
    }
    Ok(report)
}

/// Publishes the records of a phase and waits until each is done.
async fn carry_out(grounds: &Grounds, load: &Load) -> anyhow::Result<()> {
    let orders: Vec<_> = (0..load.records)
        .map(|n| {
            let event = format!("{} {n}", load.name);
            let order = load.deed.order(GROUP, &event);
            (event, order)
        })
        .collect();
    let began = Instant::now();
    let per_second = load.rate.unwrap_or(load.records);
    for (second, orders) in orders.chunks(per_second.div_ceil(10)).enumerate() {
        if load.rate.is_some() {
            tokio::time::sleep_until(began + Duration::from_millis(100) * second as u32).await;
        }
        grounds.publish_all(orders).await?;
    }
    until("every record is done", SETTLE_WITHIN, async || {
        let notes = grounds.notes()?;
        let done: BTreeSet<&str> = notes
            .iter()
            .filter(|note| note.seen == Seen::Done && note.event.starts_with(load.name))
            .map(|note| &*note.event)
            .collect();
        Ok((done.len() == load.records).then_some(()))
    })
    .await
}
