//! Everything that a storm runs: servers, sandbox, gateway, chronicle and order workers; and how each is struck.
//!
//! A strike is carried out at once; what must follow later (thaw, start again) is noted and done by `mend`.
//! Servers start on threads of their own, so that a broker's slow start delays no other fault.

mod settings;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context as _;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::time::Instant;

pub use settings::{Addresses, ArenaSettings, write as write_config};

use super::{
    fleet::Process,
    judge::Accepted,
    load::{event_id, source},
    plan::{FREEZE, Kind, Strike},
};
use crate::{
    servers::{Kafka, Postgres},
    suite::progress,
};

/// How long a process that got SIGTERM may take: the shutdown budget and its afterwork.
const END_WITHIN: Duration = Duration::from_secs(55);

/// Questions to the gateway at once.
const QUESTIONS_MAX: usize = 16;

/// See the module page.
#[derive(Debug)]
pub struct Arena {
    folder: PathBuf,
    addresses: Addresses,
    kafka: Arc<Mutex<Kafka>>,
    postgres: Arc<Mutex<Postgres>>,
    sandbox: Process,
    gateway: Process,
    chronicle: Process,
    workers: Vec<Process>,
    extra: Process,
    later: Vec<(Instant, Later)>,
    servers_busy: Vec<JoinHandle<anyhow::Result<()>>>,
    unexpected: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    StartWorker(usize),
    AwaitAndStartWorker(usize),
    Thaw(usize),
    StartGateway,
}

impl Arena {
    /// Builds the binary, starts everything, and waits until it serves.
    ///
    /// # Errors
    ///
    /// If any of it does not start; the logs are in the folder.
    pub async fn start(settings: ArenaSettings) -> anyhow::Result<Self> {
        let folder = settings.folder.clone();
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        let binary = build()?;
        progress(&format!(
            "storm: starting Kafka and PostgreSQL in {}",
            folder.display()
        ));
        let addresses = Addresses::of_this_process();
        let kafka = Kafka::start(&folder.join("kafka"), addresses.kafka)?;
        let postgres = Postgres::start(&folder.join("postgres"), addresses.postgres)?;
        let config = write_config(
            &folder,
            &addresses,
            &kafka.bootstrap(),
            &postgres.url(),
            &[],
        )?;
        let process = |name: &str, arguments: &[&str], probes: u16| {
            let config = config.to_string_lossy().into_owned();
            let mut all = vec!["--config", &config];
            all.extend_from_slice(arguments);
            let listen = format!("127.0.0.1:{probes}");
            Process::new(
                name,
                &binary,
                &logs,
                &all,
                &[("ARGOSY__PROBES__LISTEN", listen)],
            )
        };
        run_once(&binary, &config, &["migrate"])?;
        run_once(&binary, &config, &["topics", "apply"])?;
        let mut arena = Self {
            sandbox: process("sandbox", &["sandbox"], 0),
            gateway: process("gateway", &["gateway"], 0),
            chronicle: process("chronicle", &["worker", "chronicle"], 0),
            workers: (0..settings.workers)
                .map(|n| process(&format!("orders-{n}"), &["worker", "orders"], 0))
                .collect(),
            extra: process("orders-extra", &["worker", "orders"], 0),
            kafka: Arc::new(Mutex::new(kafka)),
            postgres: Arc::new(Mutex::new(postgres)),
            folder,
            addresses,
            later: Vec::new(),
            servers_busy: Vec::new(),
            unexpected: Vec::new(),
        };
        arena.sandbox.start()?;
        arena.gateway.start()?;
        arena.chronicle.start()?;
        for worker in &mut arena.workers {
            worker.start()?;
        }
        let ready = [
            format!("{}/readyz", arena.gateway_url()),
            format!("{}/__control/health", arena.sandbox_url()),
        ];
        await_ready(&ready, Duration::from_secs(60)).await?;
        arena.script_latency(settings.latency_ms).await?;
        Ok(arena)
    }

    /// The gateway's address.
    pub fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.addresses.gateway)
    }

    /// The broker's address.
    pub fn bootstrap(&self) -> String {
        self.kafka
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bootstrap()
    }

    /// The receipts file.
    pub fn receipts_path(&self) -> PathBuf {
        self.folder.join("receipts.jsonl")
    }

    /// The logs' folder.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// Processes that ended though nobody struck them.
    pub fn unexpected_ends(&self) -> &[String] {
        &self.unexpected
    }

    /// CPU seconds by process, of those that still run.
    pub fn cpu_seconds(&self) -> Value {
        let processes = [&self.sandbox, &self.gateway, &self.chronicle]
            .into_iter()
            .chain(&self.workers);
        let seconds =
            processes.map(|process| (process.name().to_string(), process.cpu_seconds().into()));
        Value::Object(seconds.collect())
    }

    /// Lets a fault strike.
    ///
    /// # Errors
    ///
    /// If the extra worker cannot be started.
    pub fn strike(&mut self, strike: Strike) -> anyhow::Result<()> {
        let Strike {
            kind,
            victim,
            hard,
            down,
            ..
        } = strike;
        let victim = self.victim(victim);
        let back = Instant::now() + down;
        match kind {
            Kind::KillWorker => {
                self.workers[victim].kill();
                self.later.push((back, Later::StartWorker(victim)));
            }
            Kind::StopWorker => {
                self.workers[victim].terminate();
                self.later.push((back, Later::AwaitAndStartWorker(victim)));
            }
            Kind::FreezeWorker => {
                self.workers[victim].freeze();
                self.later
                    .push((Instant::now() + FREEZE, Later::Thaw(victim)));
            }
            Kind::Broker => {
                let kafka = Arc::clone(&self.kafka);
                self.servers_busy.push(std::thread::spawn(move || {
                    let kafka = kafka.lock().unwrap_or_else(PoisonError::into_inner);
                    if hard {
                        kafka.kill()?
                    } else {
                        kafka.stop()?
                    }
                    kafka.restart()
                }));
            }
            Kind::Store => {
                let postgres = Arc::clone(&self.postgres);
                self.servers_busy.push(std::thread::spawn(move || {
                    let postgres = postgres.lock().unwrap_or_else(PoisonError::into_inner);
                    if hard {
                        postgres.kill()?
                    } else {
                        postgres.stop()?
                    }
                    postgres.restart()
                }));
            }
            Kind::ExtraWorker => {
                if self.extra.is_running() {
                    self.extra.terminate();
                } else {
                    self.extra.start()?;
                }
            }
            Kind::KillGateway => {
                self.gateway.kill();
                self.later.push((back, Later::StartGateway));
            }
        }
        Ok(())
    }

    /// A worker that runs and is not frozen, or is being stopped: the next one if the drawn one will not do.
    fn victim(&mut self, drawn: usize) -> usize {
        let busy = |later: &[(Instant, Later)], worker: usize| {
            later.iter().any(|(_, act)| {
                matches!(act, Later::StartWorker(n) | Later::AwaitAndStartWorker(n) | Later::Thaw(n) if *n == worker)
            })
        };
        let count = self.workers.len();
        (drawn..drawn + count)
            .map(|n| n % count)
            .find(|n| !busy(&self.later, *n))
            .unwrap_or(drawn)
    }

    /// Does what is due: thaws, starts again.
    ///
    /// # Errors
    ///
    /// If something cannot be started, or a stopped worker does not end.
    pub fn mend(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        let due: Vec<_> = self
            .later
            .iter()
            .filter(|(at, _)| *at <= now)
            .map(|(_, act)| *act)
            .collect();
        self.later.retain(|(at, _)| *at > now);
        for act in due {
            match act {
                Later::StartWorker(n) => self.workers[n].start()?,
                Later::Thaw(n) => self.workers[n].thaw(),
                Later::StartGateway => self.gateway.start()?,
                Later::AwaitAndStartWorker(n) if self.workers[n].is_running() => {
                    self.later.push((now + Duration::from_millis(500), act));
                }
                Later::AwaitAndStartWorker(n) => self.workers[n].start()?,
            }
        }
        self.note_unexpected_ends()
    }

    /// A process that ends by itself is started again, as an orchestrator would; that it ended is told.
    fn note_unexpected_ends(&mut self) -> anyhow::Result<()> {
        let planned: Vec<usize> = self
            .later
            .iter()
            .filter_map(|(_, act)| act.worker())
            .collect();
        let workers = self
            .workers
            .iter_mut()
            .enumerate()
            .filter(|(n, _)| !planned.contains(n))
            .map(|(_, worker)| worker);
        let gateway_planned = self
            .later
            .iter()
            .any(|(_, act)| *act == Later::StartGateway);
        let others = [&mut self.sandbox, &mut self.chronicle].into_iter();
        let gateway = (!gateway_planned).then_some(&mut self.gateway);
        for process in workers.chain(others).chain(gateway) {
            if let Some(status) = process.ended() {
                self.unexpected
                    .push(format!("{} ended by itself: {status}", process.name()));
                process.start()?;
            }
        }
        Ok(())
    }

    /// Ends all faults: everything runs that should.
    ///
    /// # Errors
    ///
    /// If something does not come back.
    pub fn heal(&mut self) -> anyhow::Result<()> {
        progress("storm: no more faults");
        for server in self.servers_busy.drain(..) {
            server
                .join()
                .map_err(|_| anyhow::anyhow!("a server's thread panicked"))??;
        }
        for (_, act) in std::mem::take(&mut self.later) {
            match act {
                Later::StartWorker(n) => self.workers[n].start()?,
                Later::Thaw(n) => self.workers[n].thaw(),
                Later::StartGateway => self.gateway.start()?,
                Later::AwaitAndStartWorker(n) => {
                    self.workers[n].await_end(END_WITHIN)?;
                    self.workers[n].start()?;
                }
            }
        }
        Ok(())
    }

    /// The group's lag, by Kafka's own tool.
    ///
    /// # Errors
    ///
    /// If the tool fails.
    pub fn lag(&self) -> anyhow::Result<i64> {
        self.kafka
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .consumer_group_lag("orders")
    }

    /// Asks the gateway how every accepted event stands; says which of them are not done (at most 20).
    ///
    /// # Errors
    ///
    /// If the gateway cannot be asked.
    pub async fn not_done(&self, seed: u64, accepted: &[Accepted]) -> anyhow::Result<Vec<String>> {
        let client = super::http_client()?;
        let gateway = self.gateway_url();
        let deadline = Instant::now() + Duration::from_secs(60);
        let ask = |event: &Accepted| {
            let id = event_id(&event.key, event.sequence);
            let (client, url) = (client.clone(), format!("{gateway}/v1/events/{id}"));
            let source = source(seed);
            async move {
                loop {
                    let answer = super::send(client.get(&url).query(&[("source", &source)])).await;
                    let said = match answer {
                        Ok(answer) => answer.json::<Value>().await.unwrap_or_default(),
                        Err(error) => Value::String(error.to_string()),
                    };
                    if settings::orders_state(&said) == Some("done") {
                        return None;
                    }
                    if Instant::now() > deadline {
                        return Some(format!("event {id} is not done: {said}"));
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        };
        let answers: Vec<_> = stream::iter(accepted.iter().map(ask))
            .buffer_unordered(QUESTIONS_MAX)
            .collect()
            .await;
        Ok(answers.into_iter().flatten().take(20).collect())
    }

    /// Stops everything; the data is removed unless the run failed.
    pub fn stop(mut self, keep: bool) {
        for worker in &mut self.workers {
            worker.terminate();
        }
        for worker in &mut self.workers {
            // Killed below if it does not end; the verdict is in already.
            drop(worker.await_end(END_WITHIN));
        }
        for process in [
            &mut self.extra,
            &mut self.chronicle,
            &mut self.gateway,
            &mut self.sandbox,
        ] {
            process.kill();
        }
        let mut stopped = self
            .kafka
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .kill();
        stopped = stopped.and(
            self.postgres
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .kill(),
        );
        if keep {
            progress(&format!(
                "storm: data and logs are kept in {}",
                self.folder.display()
            ));
        } else if stopped.is_ok() {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }

    async fn script_latency(&self, (from, to): (u64, u64)) -> anyhow::Result<()> {
        let rules = serde_json::json!([{ "match": {}, "effect": { "latency_ms": [from, to] } }]);
        let client = super::http_client()?;
        let url = format!("{}/__control/faults", self.sandbox_url());
        let request = client
            .put(url)
            .header("content-type", "application/json")
            .body(rules.to_string());
        let answer = super::send(request).await?;
        anyhow::ensure!(
            answer.status().is_success(),
            "the sandbox refused its script: {}",
            answer.text().await?
        );
        Ok(())
    }

    fn sandbox_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.addresses.sandbox)
    }
}

impl Later {
    fn worker(self) -> Option<usize> {
        match self {
            Self::StartWorker(n) | Self::AwaitAndStartWorker(n) | Self::Thaw(n) => Some(n),
            Self::StartGateway => None,
        }
    }
}

/// Waits until each of these answers with success.
///
/// # Errors
///
/// If one does not in time.
pub async fn await_ready(urls: &[String], within: Duration) -> anyhow::Result<()> {
    let client = super::http_client()?;
    let deadline = Instant::now() + within;
    for url in urls {
        loop {
            match super::send(client.get(url)).await {
                Ok(answer) if answer.status().is_success() => break,
                said => anyhow::ensure!(Instant::now() < deadline, "{url} is not ready: {said:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// Builds the release binary and says where it is.
///
/// # Errors
///
/// If it does not build.
pub fn build() -> anyhow::Result<PathBuf> {
    progress("building argosy");
    let built = Command::new("cargo")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--release", "--quiet", "-p", "argosy"])
        .status()?;
    anyhow::ensure!(built.success(), "argosy does not build");
    let mut binary = std::env::current_exe()?;
    binary.set_file_name("argosy");
    Ok(binary)
}

/// Runs a subcommand to its end.
fn run_once(binary: &Path, config: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new(binary)
        .arg("--config")
        .arg(config)
        .args(arguments)
        .output()
        .context("argosy")?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success(),
        "argosy {} failed: {said}",
        arguments.join(" ")
    );
    Ok(())
}
