//! Where trial workers are proven: Kafka, PostgreSQL, the sandbox with a supplier of each repeat class, gateway and
//! chronicle; and what a suite asks of them.
//!
//! Invariant: a group's events are found by its name alone (their shop), so that many groups share one topic.

mod settings;
mod strikes;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Context as _;
use argosy_broker::{
    Broker, Message, Producer,
    kafka::{Kafka as KafkaBroker, KafkaSettings},
};
use argosy_events::{Envelope, Payload, orders::v1::OrderApproved};
use argosy_store::{EffectRow, Postgres as PostgresStore, Store};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    servers::{Kafka, Postgres, Server},
    storm::{
        self,
        arena::{Addresses, await_ready, build, build_own, run_once, said},
        fleet::Process,
        load::wall_ns,
    },
    suite::{Folder, progress},
    trial_worker::{Note, read_all},
};

pub use settings::{Fault, WorkerSettings};

const LOOK_EVERY: Duration = Duration::from_millis(100);
const ACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);
const CONNECTIONS_MAX: u32 = 6;

/// A supplier's receipt, as far as it is judged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Receipt {
    /// When the call arrived, ns since 1970.
    pub received_at: u64,
    /// Our reference: the event's id.
    pub our_reference: String,
    /// The supplier's own id of the order.
    pub order_id: String,
    /// `applied` or `repeat`.
    pub effect: String,
}

/// What is asked of the grounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projected {
    /// Chronicle and gateway run: statuses are projected, and effects can be resolved.
    Yes,
    /// Nobody but the trial workers asks the store, which can count what it is asked.
    No,
}

/// See the module page.
pub struct Grounds {
    folder: Folder,
    config: PathBuf,
    argosy: PathBuf,
    trial: PathBuf,
    addresses: Addresses,
    // The servers go last: what uses them is dropped before.
    parts: Mutex<Vec<Process>>,
    store: PostgresStore,
    producer: Arc<dyn Producer>,
    source: String,
    kafka: Kafka,
    postgres: Postgres,
}

impl Grounds {
    /// Builds both binaries, starts everything, and waits until it serves.
    ///
    /// # Errors
    ///
    /// If any of it does not start; the logs are in the folder.
    pub async fn start(folder: Folder, projected: Projected, source: &str) -> anyhow::Result<Self> {
        let path = folder.path();
        for name in ["logs", "notes"] {
            std::fs::create_dir_all(path.join(name))?;
        }
        let argosy = build()?;
        let trial = build_own("trial_worker")?;
        progress(&format!(
            "starting Kafka and PostgreSQL in {}",
            path.display()
        ));
        let addresses = Addresses::of_this_process();
        let kafka = Kafka::start(&path.join("kafka"), addresses.kafka)?;
        let data = path.join("postgres");
        let postgres = match projected {
            Projected::Yes => Postgres::start(&data, addresses.postgres)?,
            Projected::No => Postgres::start_counting(&data, addresses.postgres)?,
        };
        let config = settings::write(path, &addresses, &kafka.bootstrap(), &postgres.url())?;
        run_once(&argosy, &config, &["migrate"])?;
        run_once(&argosy, &config, &["topics", "apply"])?;
        let names: &[&[&str]] = match projected {
            Projected::Yes => &[&["sandbox"], &["gateway"], &["worker", "chronicle"]],
            Projected::No => &[&["sandbox"]],
        };
        let mut parts = Vec::new();
        for arguments in names {
            parts.push(started(&argosy, &config, path, arguments)?);
        }
        let mut ready = vec![format!(
            "http://127.0.0.1:{}/__control/health",
            addresses.sandbox
        )];
        if projected == Projected::Yes {
            ready.push(format!("http://127.0.0.1:{}/readyz", addresses.gateway));
        }
        await_ready(&ready, Duration::from_secs(60)).await?;
        let broker = KafkaBroker::new(KafkaSettings::new(kafka.bootstrap()))?;
        Ok(Self {
            store: PostgresStore::connect(&postgres.url(), CONNECTIONS_MAX)?,
            producer: broker.producer("argosy-grounds", ACKNOWLEDGED_MAX)?,
            source: source.to_owned(),
            folder,
            config,
            argosy,
            trial,
            addresses,
            parts: Mutex::new(parts),
            kafka,
            postgres,
        })
    }

    /// A process of a group's worker, not started yet.
    pub fn worker(&self, group: &str, instance: u32, settings: &WorkerSettings) -> Process {
        let path = self.folder.path();
        let notes = path.join("notes").to_string_lossy().into_owned();
        let bootstrap = self.kafka.bootstrap();
        let suppliers = format!("http://127.0.0.1:{}/suppliers", self.addresses.sandbox);
        let mut arguments: Vec<String> = [
            ("--group", group),
            ("--bootstrap", &bootstrap),
            ("--store", &self.postgres.url()),
            ("--suppliers", &suppliers),
            ("--notes", &notes),
        ]
        .iter()
        .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()])
        .collect();
        arguments.extend(settings.arguments());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let name = format!("{group}-{instance}");
        Process::new(&name, &self.trial, &path.join("logs"), &arguments, &[])
    }

    /// Publishes an order under this event id; the same id is the same event.
    ///
    /// # Errors
    ///
    /// If the broker does not acknowledge it.
    pub async fn publish(&self, id: &str, order: &OrderApproved) -> anyhow::Result<()> {
        self.publish_all(&[(id.to_owned(), order.clone())]).await
    }

    /// Publishes many orders at once.
    ///
    /// # Errors
    ///
    /// If the broker does not acknowledge one.
    pub async fn publish_all(&self, orders: &[(String, OrderApproved)]) -> anyhow::Result<()> {
        self.publish_placed(orders).await.map(drop)
    }

    /// The same; says where each of them is: partition and offset.
    ///
    /// # Errors
    ///
    /// If the broker does not acknowledge one.
    pub async fn publish_placed(
        &self,
        orders: &[(String, OrderApproved)],
    ) -> anyhow::Result<Vec<(i32, i64)>> {
        let messages = orders.iter().map(|(id, order)| self.message(id, order));
        let answers = self.producer.send(messages.collect()).await.into_iter();
        answers
            .map(|answer| answer.context("an event was not acknowledged"))
            .collect()
    }

    fn message(&self, id: &str, order: &OrderApproved) -> Message {
        let now_ms = i64::try_from(wall_ns() / 1_000_000).unwrap_or(i64::MAX);
        let mut envelope =
            Envelope::new_flow(&self.source, OrderApproved::TYPE, &order.order_id, now_ms);
        envelope.id = id.into();
        envelope.correlation_id = id.into();
        Message {
            topic: OrderApproved::TOPIC.into(),
            partition: None,
            key: Some(order.order_id.clone().into()),
            value: Some(order.encode()),
            headers: envelope.headers(),
        }
    }

    /// Where an event stands with a group: the chronicle's word.
    ///
    /// # Errors
    ///
    /// If the store cannot be asked.
    pub async fn state(&self, group: &str, event: &str) -> anyhow::Result<Option<String>> {
        let rows = self
            .store
            .status(self.source.clone(), event.to_owned())
            .await?;
        let row = rows.into_iter().find(|row| &*row.worker == group);
        Ok(row.map(|row| row.state.to_string()))
    }

    /// The one effect of an event in a group.
    ///
    /// # Errors
    ///
    /// If the store cannot be asked.
    pub async fn effect(&self, group: &str, event: &str) -> anyhow::Result<Option<EffectRow>> {
        let rows = self
            .store
            .effects(self.source.clone(), event.to_owned())
            .await?;
        Ok(rows.into_iter().find(|row| &*row.id.of.worker == group))
    }

    /// The store itself.
    pub fn store(&self) -> &PostgresStore {
        &self.store
    }

    /// PostgreSQL's address.
    pub fn store_url(&self) -> String {
        self.postgres.url()
    }

    /// Kafka's address.
    pub fn bootstrap(&self) -> String {
        self.kafka.bootstrap()
    }

    /// Where data, logs, notes and receipts are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The source of all its events.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All receipts so far.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a whole line is no receipt.
    pub fn receipts(&self) -> anyhow::Result<Vec<Receipt>> {
        let path = self.folder.path().join("receipts.jsonl");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let read = whole.lines().map(|line| Ok(serde_json::from_str(line)?));
        read.collect()
    }

    /// What the trial workers noted so far.
    ///
    /// # Errors
    ///
    /// If their notes cannot be read.
    pub fn notes(&self) -> anyhow::Result<Vec<Note>> {
        read_all(&self.folder.path().join("notes"))
    }

    /// Replaces the suppliers' faults.
    ///
    /// # Errors
    ///
    /// If the sandbox refuses them.
    pub async fn script(&self, faults: &[Fault]) -> anyhow::Result<()> {
        let rules: Vec<Value> = faults.iter().map(Fault::rule).collect();
        self.script_rules(&Value::from(rules)).await
    }

    /// The same, in the sandbox's own words.
    ///
    /// # Errors
    ///
    /// If the sandbox refuses them.
    pub async fn script_rules(&self, rules: &Value) -> anyhow::Result<()> {
        let url = format!(
            "http://127.0.0.1:{}/__control/faults",
            self.addresses.sandbox
        );
        let request = storm::http_client()?
            .put(url)
            .header("content-type", "application/json")
            .body(rules.to_string());
        let answer = storm::send(request).await?;
        anyhow::ensure!(
            answer.status().is_success(),
            "the sandbox refused its script: {}",
            answer.text().await?
        );
        Ok(())
    }

    /// Runs a subcommand of the fleet's binary; whether it succeeded, and what it said.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn argosy(&self, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
        said(&self.argosy, &self.config, arguments)
    }

    /// Stops everything; the data is removed unless the run failed.
    pub fn stop(self, keep: bool) {
        let Self {
            folder,
            parts,
            kafka,
            postgres,
            producer,
            ..
        } = self;
        drop((parts, producer));
        let stopped = kafka.kill().and(postgres.kill());
        if keep {
            progress(&format!(
                "data and logs are kept in {}",
                folder.path().display()
            ));
        } else if let Err(error) = stopped.and_then(|()| folder.remove()) {
            progress(&format!("{error:#}"));
        }
    }
}

impl std::fmt::Debug for Grounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grounds")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Asks again and again until there is an answer.
///
/// # Errors
///
/// The question's, or that there was no answer in time; `what` says to what.
pub async fn until<T>(
    what: &str,
    within: Duration,
    mut ask: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        anyhow::ensure!(Instant::now() < deadline, "{what}: not within {within:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn started(
    argosy: &Path,
    config: &Path,
    folder: &Path,
    arguments: &[&str],
) -> anyhow::Result<Process> {
    let config = config.to_string_lossy();
    let all: Vec<&str> = ["--config", &config]
        .into_iter()
        .chain(arguments.iter().copied())
        .collect();
    let name = arguments.last().copied().unwrap_or_default();
    let probes = [("ARGOSY__PROBES__LISTEN", "127.0.0.1:0".to_owned())];
    let mut process = Process::new(name, argosy, &folder.join("logs"), &all, &probes);
    process.start()?;
    Ok(process)
}
