//! PostgreSQL away, Kafka's disk full, PostgreSQL's disk full, one after the other under load through the gateway.
//!
//! Invariant: what the gateway accepted is judged by the supplier's receipts and by the statuses that it tells of itself.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use super::{
    LimitsReport, LimitsSettings,
    disk::Disk,
    parked::Metrics,
    poster::{Poster, Tally, is_problem},
    why,
};
use crate::{
    grounds::{Grounds, Projected, WorkerSettings, until},
    storm::{self, receipts::Tail},
    suite::Folder,
    trial_worker::Seen,
    waiting::once::once_in_order,
};

const GROUP: &str = "limits";
const KEYS: u64 = 40;
const METRICS: u16 = 7;

const KAFKA_DISK_MIB: u32 = 96;
const POSTGRES_DISK_MIB: u32 = 256;

/// Calm before, between and after.
const CALM: Duration = Duration::from_secs(5);

/// From the end of a fault until all that was accepted is done.
const HEALED_WITHIN: Duration = Duration::from_secs(90);

/// How long a server may take to come back by itself before it is started again.
const BACK_WITHIN: Duration = Duration::from_secs(8);

/// Events of a key that may have been at its head when the store went.
const HEADS: u64 = 2;

/// Metrics of which one rises when a worker cannot write to its broker.
const BROKER_TROUBLES: [&str; 4] = [
    "argosy_broker_faults_total",
    "argosy_timeline_write_failures_total",
    "argosy_emit_write_failures_total",
    "argosy_dead_letter_write_failures_total",
];

/// What one fault is judged by.
struct Struck {
    before: Tally,
    during: Tally,
    done_before: usize,
    done_during: usize,
    status: u16,
}

struct Stage<'a> {
    grounds: &'a Grounds,
    poster: &'a Poster,
    away: Duration,
    report: &'a mut LimitsReport,
}

pub(super) async fn run(
    folder: Folder,
    settings: &LimitsSettings,
    report: &mut LimitsReport,
) -> anyhow::Result<()> {
    // Before the grounds, so that they go after them.
    let kafka = Disk::mount(&folder.path().join("kafka/data"), KAFKA_DISK_MIB)?;
    let postgres = Disk::mount(&folder.path().join("postgres"), POSTGRES_DISK_MIB)?;
    let grounds = Grounds::start(folder, Projected::Yes, "limits://").await?;
    let before = report.violations.len();
    let ran = run_on(&grounds, &kafka, &postgres, settings, report).await;
    grounds.kill_servers()?;
    let log = grounds.folder().join("postgres/postgres.log");
    // Its disk goes with it.
    drop(std::fs::copy(
        log,
        grounds.folder().join("logs/postgres.log"),
    ));
    drop((kafka, postgres));
    grounds.stop(ran.is_err() || report.violations.len() > before);
    ran
}

async fn run_on(
    grounds: &Grounds,
    kafka: &Disk,
    postgres: &Disk,
    settings: &LimitsSettings,
    report: &mut LimitsReport,
) -> anyhow::Result<()> {
    let worker_settings = WorkerSettings {
        metrics_port: Some(grounds.free_port(METRICS)),
        ..WorkerSettings::default()
    };
    let mut worker = grounds.worker(GROUP, 0, &worker_settings);
    worker.start()?;
    let poster = Poster::start(grounds, GROUP, KEYS, settings.seed)?;
    let mut stage = Stage {
        grounds,
        poster: &poster,
        away: settings.away,
        report,
    };
    stage.store_away().await?;
    stage.broker_disk_full(kafka).await?;
    stage.store_disk_full(postgres).await?;
    let tally = poster.stop().await?;
    report.expect(
        worker.is_running(),
        "the worker ended by itself in the course of it",
    );
    for wrong in &tally.wrong {
        report.expect(false, wrong);
    }
    settled(grounds, &tally, report).await
}

impl Stage<'_> {
    /// The store is away: intake goes on, status is refused, work waits and says for what.
    async fn store_away(&mut self) -> anyhow::Result<()> {
        self.calm().await?;
        let grounds = self.grounds;
        grounds.kill_store()?;
        let struck = self.during().await?;
        grounds.start_store()?;
        let waited = self.waits_for_store(&struck).await;
        self.store_judged("store_away", &struck, waited).await?;
        self.report.expect(
            struck.status == 503,
            format!("with the store away a status is {}", struck.status),
        );
        Ok(())
    }

    /// The broker cannot write: the gateway refuses, the worker says so, and nothing is lost.
    async fn broker_disk_full(&mut self, disk: &Disk) -> anyhow::Result<()> {
        self.calm().await?;
        let troubles = self.broker_troubles().await?;
        disk.fill()?;
        let struck = self.during().await?;
        let seen = self.broker_troubles().await? - troubles;
        disk.empty()?;
        self.grounds.restart_broker()?;
        let healed = self.healed().await;
        let refused = struck.during.refused - struck.before.refused;
        self.report.note(
            "broker_disk_full",
            json!({
                "refused_503": refused,
                "accepted": struck.during.events() - struck.before.events(),
                "broker_troubles": seen,
                "healed_s": healed.as_ref().ok().map(Duration::as_secs),
            }),
        );
        self.report.expect(
            refused > 0,
            "with the broker's disk full the gateway never answered 503",
        );
        self.report.expect(
            seen > 0.0,
            "with the broker's disk full no metric of the worker said so",
        );
        self.report.expect(healed.is_ok(), why(&healed));
        Ok(())
    }

    /// The store cannot write: intake goes on, work waits and says for what.
    async fn store_disk_full(&mut self, disk: &Disk) -> anyhow::Result<()> {
        self.calm().await?;
        let grounds = self.grounds;
        disk.fill()?;
        let refused = probe(&grounds.store_url()).await;
        self.report.expect(
            refused.is_err(),
            "PostgreSQL wrote to its full disk: the fault shows nothing",
        );
        let struck = self.during().await?;
        disk.empty()?;
        let back = until("the store writes again", BACK_WITHIN, async || {
            Ok(probe(&grounds.store_url()).await.ok())
        });
        let by_itself = back.await.is_ok();
        if !by_itself {
            grounds.kill_store()?;
            grounds.start_store()?;
        }
        self.report
            .note("store_came_back", json!({ "by_itself": by_itself }));
        let waited = self.waits_for_store(&struck).await;
        self.store_judged("store_disk_full", &struck, waited).await
    }

    /// Intake went on, work did not, and somebody said that the store was in the way.
    async fn store_judged(
        &mut self,
        name: &'static str,
        struck: &Struck,
        waited: anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let healed = self.healed().await;
        let accepted = struck.during.events() - struck.before.events();
        self.report.note(
            name,
            json!({
                "accepted": accepted,
                "refused_503": struck.during.refused - struck.before.refused,
                "done_meanwhile": struck.done_during - struck.done_before,
                "status_answer": struck.status,
                "healed_s": healed.as_ref().ok().map(Duration::as_secs),
            }),
        );
        // A quarter of what the keys post when nothing is in the way.
        let least = KEYS * self.away.as_secs() / 4;
        self.report.expect(
            accepted >= least,
            format!("{name}: only {accepted} events were accepted meanwhile"),
        );
        self.report
            .expect(waited.is_ok(), format!("{name}: {}", why(&waited)));
        self.report
            .expect(healed.is_ok(), format!("{name}: {}", why(&healed)));
        Ok(())
    }

    async fn calm(&self) -> anyhow::Result<()> {
        tokio::time::sleep(CALM).await;
        self.healed().await.map(drop)
    }

    /// Lets the fault last, and sees what happens meanwhile.
    async fn during(&self) -> anyhow::Result<Struck> {
        let (before, done_before) = (self.poster.tally(), self.done()?);
        tokio::time::sleep(self.away / 2).await;
        let status = self.status().await.unwrap_or(0);
        tokio::time::sleep(self.away / 2).await;
        Ok(Struck {
            before,
            during: self.poster.tally(),
            done_before,
            done_during: self.done()?,
            status,
        })
    }

    /// What the gateway answers when it is asked for a status; a 503 that is no problem document counts as none.
    async fn status(&self) -> anyhow::Result<u16> {
        let url = format!("{}/v1/events/some-event", self.grounds.gateway_url());
        let answer = storm::send(storm::http_client()?.get(url)).await?;
        let status = answer.status().as_u16();
        anyhow::ensure!(status != 503 || is_problem(&answer), "no problem document");
        Ok(status)
    }

    fn done(&self) -> anyhow::Result<usize> {
        let notes = self.grounds.notes()?;
        let done = notes.iter().filter(|note| note.seen == Seen::Done);
        Ok(done.count())
    }

    async fn broker_troubles(&self) -> anyhow::Result<f64> {
        let metrics = Metrics::read(self.grounds.free_port(METRICS)).await?;
        let sums = BROKER_TROUBLES.iter().map(|name| metrics.sum(name, ""));
        Ok(sums.sum())
    }

    /// The timeline of an event that was accepted meanwhile says that it waited for the store.
    async fn waits_for_store(&self, struck: &Struck) -> anyhow::Result<()> {
        // Each key's head: the event that ran when the store went, or the next ones. What comes behind them only queues.
        let during = struck.during.accepted.iter();
        let accepted: Vec<String> = during
            .flat_map(|(key, &last)| {
                let before = struck.before.accepted.get(key).copied().unwrap_or(1);
                (before..=last.min(before + HEADS)).map(move |number| format!("{key}.{number}"))
            })
            .collect();
        anyhow::ensure!(!accepted.is_empty(), "nothing was accepted meanwhile");
        until(
            "a timeline tells of dependency(store)",
            HEALED_WITHIN,
            async || {
                for event in &accepted {
                    if self
                        .timeline(event)
                        .await
                        .is_some_and(|told| tells_of_store(&told))
                    {
                        return Ok(Some(()));
                    }
                }
                Ok(None)
            },
        )
        .await
    }

    async fn timeline(&self, event: &str) -> Option<Value> {
        let url = format!("{}/v1/timelines/{event}", self.grounds.gateway_url());
        let answer = storm::send(storm::http_client().ok()?.get(url))
            .await
            .ok()?;
        answer.json().await.ok()
    }

    /// Waits until all that was accepted so far has its receipt.
    async fn healed(&self) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let accepted = self.poster.tally().events();
        let path = self.grounds.folder().join("receipts.jsonl");
        until("all that was accepted is done", HEALED_WITHIN, async || {
            let receipts = Tail::new(&path).more()?;
            let applied = receipts
                .iter()
                .filter(|receipt| receipt.effect == "applied");
            Ok((applied.count() as u64 >= accepted).then_some(()))
        })
        .await?;
        Ok(began.elapsed())
    }
}

/// Whether a step of it waited for the store.
fn tells_of_store(told: &Value) -> bool {
    match told {
        Value::Object(fields) => {
            let is = |name: &str, value: &str| fields.get(name).is_some_and(|of| of == value);
            (is("cause", "dependency") && is("dependency", "store"))
                || fields.values().any(tells_of_store)
        }
        Value::Array(values) => values.iter().any(tells_of_store),
        _ => false,
    }
}

/// Writes something that needs room: megabytes, more than any page has free.
async fn probe(url: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url).await.context("connect")?;
    let fills = "create temporary table probe as select repeat('x', 1000) as x, n from generate_series(1, 20000) n";
    sqlx::raw_sql(fills).execute(&mut connection).await?;
    Ok(())
}

/// In the end: every accepted event once and in order, by the receipts; and done, by its status.
async fn settled(
    grounds: &Grounds,
    tally: &Tally,
    report: &mut LimitsReport,
) -> anyhow::Result<()> {
    let path = grounds.folder().join("receipts.jsonl");
    let accepted = tally.events();
    let done = until("all that was accepted is done", HEALED_WITHIN, async || {
        let receipts = Tail::new(&path).more()?;
        let applied = receipts
            .iter()
            .filter(|receipt| receipt.effect == "applied");
        Ok((applied.count() as u64 >= accepted).then_some(()))
    });
    let done = done.await;
    report.expect(done.is_ok(), why(&done));
    let asked: BTreeMap<&str, u64> = tally
        .accepted
        .iter()
        .map(|(key, &last)| (&**key, last))
        .collect();
    let wrong = once_in_order(&asked, &Tail::new(&path).more()?);
    report.violations.extend(wrong);
    for (key, last) in &tally.accepted {
        for number in 1..=*last {
            let event = format!("{key}.{number}");
            let state = until("its status is done", HEALED_WITHIN, async || {
                let state = grounds.state(GROUP, &event).await?;
                Ok((state.as_deref() == Some("done")).then_some(()))
            });
            if let Err(error) = state.await {
                report.expect(false, format!("event {event}: {error}"));
                return Ok(());
            }
        }
    }
    report.note(
        "in_the_end",
        json!({ "accepted": accepted, "refused_503": tally.refused, "unanswered": tally.unanswered }),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_the_store_is_found_in_a_timeline_and_no_other_wait() {
        let told = |dependency: &str| json!({ "entries": [{ "steps": [{ "waited": { "cause": "dependency", "dependency": dependency } }] }] });
        assert!(tells_of_store(&told("store")));
        assert!(!tells_of_store(&told("natural-brisk")));
        assert!(!tells_of_store(
            &json!({ "cause": "dependency", "of": { "dependency": "store" } })
        ));
    }
}
