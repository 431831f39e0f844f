//! A worker whose handler does what its event tells it: calls, panics, aborts, never ends. It is put together as a
//! user's would be, and is a process of its own, so that a suite can kill and freeze it.
//!
//! Invariant: whatever it does to a vendor goes through its context; its notes, and the pause after a granted claim,
//! are the only things that no real worker has.

mod deed;
mod notes;
mod paused_store;
mod perform;
mod suppliers;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use argosy_broker::{
    Broker,
    kafka::{GroupProtocol, Kafka, KafkaSettings},
};
use argosy_outbound::{Profile, Stack};
use argosy_runtime::{AloneTurn, Health, Parts, Settings, Worker};
use argosy_shell::{
    config::{LogFormat, Telemetry},
    probes,
    signals::Signals,
    telemetry,
};
use argosy_store::{Postgres, Store};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use deed::{Deed, UnknownDeed};
pub use notes::{Note, Seen, read_all};
pub use paused_store::pausing;
pub(crate) use suppliers::token;
pub use suppliers::{CLASSES, Class, Patience};

use self::{notes::Notes, paused_store::PausedStore, perform::Perform};

/// Connections to the store; a suite runs many of these.
const CONNECTIONS_MAX: u32 = 6;

/// What one process is told.
#[derive(Clone, Debug)]
pub struct TrialSettings {
    /// Worker's name, and so its consumer group. It handles the events whose shop has this name.
    pub group: String,
    /// Kafka's address.
    pub bootstrap: String,
    /// PostgreSQL's address.
    pub store: String,
    /// The sandbox's address, up to the supplier's name.
    pub suppliers: String,
    /// Where it notes what it does.
    pub notes: PathBuf,
    /// Session timeout of the group membership.
    pub session_timeout: Duration,
    /// Deadline of one run.
    pub run_deadline: Duration,
    /// Attempts before a record is dead.
    pub attempts_max: u32,
    /// Whether later records of a key wait behind its dead one.
    pub hold_after_dead: bool,
    /// Keys that wait in the store at once, per partition; without it, as many as in any worker.
    pub parked_keys_max: Option<usize>,
    /// Bytes that wait in the store at once.
    pub parked_bytes_max: Option<usize>,
    /// Records held per partition before its intake stops.
    pub partition_records_max: Option<usize>,
    /// Where its metrics can be read, if anywhere.
    pub metrics: Option<SocketAddr>,
}

/// Runs one instance until SIGTERM or SIGINT.
///
/// # Errors
///
/// If it cannot be put together, or ends though nobody asked it to.
pub async fn run(settings: TrialSettings) -> anyhow::Result<()> {
    let telemetry = Telemetry {
        filter: "info".to_owned(),
        format: LogFormat::Json,
    };
    let metrics = telemetry::install(&telemetry, &format!("worker {}", settings.group))?;
    let signals = Signals::listen()?;
    let (stop, ended, tracker) = (
        CancellationToken::new(),
        CancellationToken::new(),
        TaskTracker::new(),
    );
    tracker.spawn(metrics.clone().upkeep(ended.clone()));
    if let Some(address) = settings.metrics {
        let listener = probes::listen(address, "the metrics", "--metrics").await?;
        let router = probes::router(probes::Health::new(), metrics);
        let ended = ended.clone();
        tracker.spawn(async move { probes::serve(listener, router, ended).await });
    }
    let notes = Notes::open(&settings.notes, &settings.group)?;
    let (worker, parts) = put_together(&settings, &notes, &tracker)?;
    let working = async {
        let result = argosy_runtime::run(worker, parts, stop.clone()).await;
        ended.cancel();
        tracker.close();
        tracker.wait().await;
        result
    };
    tokio::select! {
        result = working => result.context("the worker ended"),
        exit = signals.supervise(stop.clone()) => anyhow::bail!("cut off before it was drained: {exit:?}"),
    }
}

fn put_together(
    settings: &TrialSettings,
    notes: &Notes,
    tracker: &TaskTracker,
) -> anyhow::Result<(Worker, Parts)> {
    let mut kafka = KafkaSettings::new(&settings.bootstrap);
    kafka.group = GroupProtocol::Classic {
        session_timeout: settings.session_timeout,
        instance_id: None,
    };
    let broker: Arc<dyn Broker> = Arc::new(Kafka::new(kafka)?);
    let postgres = Postgres::connect(&settings.store, CONNECTIONS_MAX)?;
    let store: Arc<dyn Store> = Arc::new(PausedStore::new(postgres, notes.clone()));
    let accounts = suppliers::accounts(&settings.suppliers);
    let stack = Arc::new(Stack::new(accounts, &Profile::Dev, tracker)?);
    // A worker's name is a constant of its code; this one is told its name once, at its start.
    let name: &'static str = settings.group.clone().leak();
    let worker = Worker::new(name).on(Perform::new(name, notes.clone()));
    let defaults = Settings::default();
    let parts = Parts {
        broker,
        store,
        stack,
        health: Health::new(),
        alone: AloneTurn::default(),
        settings: Settings {
            run_deadline: settings.run_deadline,
            attempts_max: settings.attempts_max,
            hold_after_dead: settings.hold_after_dead,
            // Beside the notes: it outlives the process as they do.
            state_dir: Some(settings.notes.with_extension("state")),
            parked_keys_max: settings.parked_keys_max.unwrap_or(defaults.parked_keys_max),
            parked_bytes_max: settings
                .parked_bytes_max
                .unwrap_or(defaults.parked_bytes_max),
            partition_records_max: settings
                .partition_records_max
                .unwrap_or(defaults.partition_records_max),
            ..defaults
        },
    };
    Ok((worker, parts))
}

#[cfg(test)]
mod tests;
