//! Past `parked_keys_max` and `parked_bytes_max` a partition takes no more in, and says why; the others go on; and when the
//! dependency is back it goes on by itself.

use std::{collections::BTreeMap, time::Duration};

use argosy_events::orders::v1::OrderApproved;
use serde_json::json;
use tokio::time::Instant;

use super::{LimitsReport, why};
use crate::{
    grounds::{Grounds, Projected, WorkerSettings, until},
    storm::{
        self,
        judge::partition_of,
        receipts::{Receipt, Tail},
    },
    suite::Folder,
    trial_worker::{Class, Deed, Patience, Seen},
    waiting::once::once_in_order,
};

/// One worker per limit.
const GROUPS: [&str; 2] = ["few-keys", "few-bytes"];

const KEYS_MAX: u64 = 20;
const BYTES_MAX: u64 = 12_000;

/// Records held in memory per partition.
const RECORDS_MAX: u64 = 64;

/// Records whose keys wait, all of one partition: more than store and memory take.
const WAITING: usize = 300;

/// Lanes are parked when they have waited for 30 s.
const HELD_WITHIN: Duration = Duration::from_secs(75);

const HEALTHY: usize = 200;
const HEALTHY_WITHIN: Duration = Duration::from_secs(10);

const HEALED_WITHIN: Duration = Duration::from_secs(120);

pub(super) async fn run(folder: Folder, report: &mut LimitsReport) -> anyhow::Result<()> {
    let grounds = Grounds::start(folder, Projected::No, "limits://").await?;
    let before = report.violations.len();
    let ran = run_on(&grounds, report).await;
    grounds.stop(ran.is_err() || report.violations.len() > before);
    ran
}

async fn run_on(grounds: &Grounds, report: &mut LimitsReport) -> anyhow::Result<()> {
    let down = json!([{
        "match": { "supplier": Class::Natural.name() },
        "effect": { "status": 503, "code": "down" },
    }]);
    grounds.script_rules(&down).await?;
    let mut workers = Vec::new();
    for (number, group) in (0..).zip(GROUPS) {
        let settings = WorkerSettings {
            parked_keys_max: (number == 0).then_some(KEYS_MAX),
            parked_bytes_max: (number == 1).then_some(BYTES_MAX),
            partition_records_max: Some(RECORDS_MAX),
            metrics_port: Some(grounds.free_port(number)),
            ..WorkerSettings::default()
        };
        let mut worker = grounds.worker(group, 0, &settings);
        worker.start()?;
        workers.push(worker);
        grounds.publish_all(&waiting(group)).await?;
    }
    for (number, group) in (0..).zip(GROUPS) {
        let port = grounds.free_port(number);
        let began = Instant::now();
        let held = await_held(port, 1.0, HELD_WITHIN).await;
        report.expect(
            held.is_ok(),
            format!(
                "{group}: the partition was not held with its cause: {}",
                why(&held)
            ),
        );
        let seen = Metrics::read(port).await?;
        let (keys, bytes) = (
            seen.sum("argosy_parked_keys", ""),
            seen.sum("argosy_parked_bytes", ""),
        );
        report.note(
            group,
            json!({ "parked_keys": keys, "parked_bytes": bytes, "held_after_s": began.elapsed().as_secs() }),
        );
        let within = match number {
            0 => keys > 0.0 && keys <= KEYS_MAX as f64,
            // The record that is one too many may have been on its way.
            _ => bytes > 0.0 && bytes <= BYTES_MAX as f64,
        };
        report.expect(
            within,
            format!("{group}: {keys} keys and {bytes} bytes are parked"),
        );
        others_go_on(grounds, group, report).await?;
    }
    grounds.script_rules(&json!([])).await?;
    heal(grounds, report).await?;
    Ok(())
}

/// Records of keys that wait, all of partition 0.
fn waiting(group: &str) -> Vec<(String, OrderApproved)> {
    let deed = Deed::Call(Class::Natural, Patience::Brisk);
    keys(group, "w", |partition| partition == 0)
        .take(WAITING)
        .map(|key| (format!("{key}.1"), deed.order(group, &key)))
        .collect()
}

fn keys(group: &str, kind: &str, of: impl Fn(i32) -> bool) -> impl Iterator<Item = String> {
    let all = (0_u64..).map(move |number| format!("{group}-{kind}{number}"));
    all.filter(move |key| of(partition_of(key)))
}

/// Healthy records of all other partitions are done at once.
async fn others_go_on(
    grounds: &Grounds,
    group: &str,
    report: &mut LimitsReport,
) -> anyhow::Result<()> {
    let healthy: Vec<_> = keys(group, "h", |partition| partition != 0)
        .take(HEALTHY)
        .map(|key| (format!("{key}.1"), Deed::Done.order(group, &key)))
        .collect();
    grounds.publish_all(&healthy).await?;
    let mark = format!("{group}-h");
    let done = until("others are done", HEALTHY_WITHIN, async || {
        let notes = grounds.notes()?;
        let done = notes
            .iter()
            .filter(|note| note.seen == Seen::Done && note.event.starts_with(&mark));
        Ok((done.count() >= HEALTHY).then_some(()))
    });
    let done = done.await;
    report.expect(
        done.is_ok(),
        format!("{group}: other partitions waited: {}", why(&done)),
    );
    Ok(())
}

/// The supplier is back: all is done once, nothing is parked or held.
async fn heal(grounds: &Grounds, report: &mut LimitsReport) -> anyhow::Result<()> {
    let began = Instant::now();
    let path = grounds.folder().join("receipts.jsonl");
    let all = GROUPS.len() * WAITING;
    let healed = until("all that waited is done", HEALED_WITHIN, async || {
        let applied = |receipt: &&Receipt| receipt.effect == "applied";
        let receipts = Tail::new(&path).more()?;
        Ok((receipts.iter().filter(applied).count() >= all).then_some(()))
    });
    let healed = healed.await;
    report.expect(healed.is_ok(), why(&healed));
    report.note("healed", json!({ "after_s": began.elapsed().as_secs() }));
    for (number, group) in (0..).zip(GROUPS) {
        let port = grounds.free_port(number);
        let free = await_held(port, 0.0, HEALTHY_WITHIN).await;
        report.expect(free.is_ok(), format!("{group}: still held: {}", why(&free)));
        let empty = until("nothing is parked", HEALTHY_WITHIN, async || {
            let parked = Metrics::read(port).await?.sum("argosy_parked_keys", "");
            Ok((parked < 0.5).then_some(()))
        });
        let empty = empty.await;
        report.expect(empty.is_ok(), format!("{group}: {}", why(&empty)));
    }
    let keys: Vec<String> = GROUPS
        .iter()
        .flat_map(|group| keys(group, "w", |partition| partition == 0).take(WAITING))
        .collect();
    let asked: BTreeMap<&str, u64> = keys.iter().map(|key| (&**key, 1)).collect();
    let wrong = once_in_order(&asked, &Tail::new(&path).more()?);
    report.violations.extend(wrong);
    Ok(())
}

/// Waits until so many partitions are held for want of room in the store.
async fn await_held(port: u16, partitions: f64, within: Duration) -> anyhow::Result<()> {
    until("intake held by parked_full", within, async || {
        let Ok(metrics) = Metrics::read(port).await else {
            return Ok(None);
        };
        let held = metrics.sum("argosy_intake_held", "cause=\"parked_full\"");
        Ok(((held - partitions).abs() < 0.5).then_some(()))
    })
    .await
}

/// A worker's metrics, as it serves them.
pub(super) struct Metrics(String);

impl Metrics {
    pub(super) async fn read(port: u16) -> anyhow::Result<Self> {
        let request = storm::http_client()?.get(format!("http://127.0.0.1:{port}/metrics"));
        Ok(Self(storm::send(request).await?.text().await?))
    }

    /// The sum over all labels that hold this.
    pub(super) fn sum(&self, name: &str, label: &str) -> f64 {
        let lines = self.0.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (named, labels) = series.split_once('{').unwrap_or((series, ""));
            (named == name && labels.contains(label)).then(|| value.parse::<f64>().ok())?
        });
        lines.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_the_labels_that_are_asked_for() {
        let metrics = Metrics(
            "# TYPE a gauge\na{cause=\"x\",worker=\"w\"} 1\na{cause=\"y\",worker=\"w\"} 2\nab 4\nb 8\n".to_owned(),
        );
        assert_eq!(metrics.sum("a", ""), 3.0);
        assert_eq!(metrics.sum("a", "cause=\"y\""), 2.0);
        assert_eq!(metrics.sum("b", ""), 8.0);
        assert_eq!(metrics.sum("c", ""), 0.0);
    }

    #[test]
    fn the_keys_that_wait_are_all_of_one_partition() {
        let waiting = waiting("g");
        assert_eq!(waiting.len(), WAITING);
        assert!(
            waiting
                .iter()
                .all(|(_, order)| partition_of(&order.order_id) == 0)
        );
    }
}
