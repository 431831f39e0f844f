//! Everything that a storm runs: servers, sandbox, gateway, chronicle and order workers. `strikes` strikes them.

mod settings;
mod strikes;

use std::{
    collections::BTreeMap,
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

use self::strikes::Later;
use super::{
    cpu,
    fleet::Process,
    judge::Accepted,
    load::{event_id, source},
};
use crate::{
    protocol::broker_settings,
    servers::{Kafka, Postgres, Server as _},
    suite::{Folder, progress, without_package},
};

/// How long a process that got SIGTERM may take: the shutdown budget and its afterwork.
const END_WITHIN: Duration = Duration::from_secs(55);

/// Questions to the gateway at once.
const QUESTIONS_MAX: usize = 16;

/// See the module page.
#[derive(Debug)]
pub struct Arena {
    folder: Folder,
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
    ended_by_poison: usize,
    binary: PathBuf,
    config: PathBuf,
}

impl Arena {
    /// Builds the binary, starts everything, and waits until it serves.
    ///
    /// # Errors
    ///
    /// If any of it does not start; the logs are in the folder.
    pub async fn start(settings: ArenaSettings) -> anyhow::Result<Self> {
        let folder = settings.folder.path();
        let logs = folder.join("logs");
        std::fs::create_dir_all(&logs)?;
        let binary = build()?;
        let poisoned = settings.poison.then(|| build_own("poisoned_orders"));
        let poisoned = poisoned.transpose()?;
        progress(&format!(
            "storm: starting Kafka and PostgreSQL in {}",
            folder.display()
        ));
        let addresses = Addresses::of_this_process();
        let broker_settings = broker_settings(settings::SESSION_TIMEOUT);
        let kafka = Kafka::start_with(&folder.join("kafka"), addresses.kafka, &broker_settings)?;
        let postgres = Postgres::start(&folder.join("postgres"), addresses.postgres)?;
        let config = write_config(
            folder,
            &addresses,
            &kafka.bootstrap(),
            &postgres.url(),
            settings.protocol,
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
        let order_worker = |name: &str| {
            let config = config.to_string_lossy();
            let told = settings::of_worker(name, folder, settings.poison);
            let (binary, arguments): (&Path, &[&str]) = match &poisoned {
                Some(poisoned) => (poisoned, &["--config", &config]),
                None => (&binary, &["--config", &config, "worker", "orders"]),
            };
            Process::new(name, binary, &logs, arguments, &told)
        };
        run_once(&binary, &config, &["migrate"])?;
        run_once(&binary, &config, &["topics", "apply"])?;
        let mut arena = Self {
            sandbox: process("sandbox", &["sandbox"], 0),
            gateway: process("gateway", &["gateway"], 0),
            chronicle: process("chronicle", &["worker", "chronicle"], 0),
            workers: (0..settings.workers)
                .map(|n| order_worker(&format!("orders-{n}")))
                .collect(),
            extra: order_worker("orders-extra"),
            kafka: Arc::new(Mutex::new(kafka)),
            postgres: Arc::new(Mutex::new(postgres)),
            folder: settings.folder,
            addresses,
            later: Vec::new(),
            servers_busy: Vec::new(),
            unexpected: Vec::new(),
            ended_by_poison: 0,
            binary: binary.clone(),
            config: config.clone(),
        };
        arena.sandbox.start()?;
        arena.gateway.start()?;
        arena.chronicle.start()?;
        let ready = [
            format!("{}/readyz", arena.gateway_url()),
            format!("{}/__control/health", arena.sandbox_url()),
        ];
        await_ready(&ready, Duration::from_secs(60)).await?;
        arena.script_latency(settings.latency_ms).await?;
        Ok(arena)
    }

    /// Starts the order workers; until then what is accepted waits.
    ///
    /// # Errors
    ///
    /// If one cannot be started.
    pub fn start_workers(&mut self) -> anyhow::Result<()> {
        self.workers.iter_mut().try_for_each(Process::start)
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

    /// The store's address.
    pub fn store_url(&self) -> String {
        self.postgres
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .url()
    }

    /// The receipts file.
    pub fn receipts_path(&self) -> PathBuf {
        self.folder.path().join("receipts.jsonl")
    }

    /// The logs' folder.
    pub fn logs(&self) -> PathBuf {
        self.folder.path().join("logs")
    }

    /// Processes that ended though nobody struck them.
    pub fn unexpected_ends(&self) -> &[String] {
        &self.unexpected
    }

    /// Processes that were ended by an order that is poison.
    pub fn ended_by_poison(&self) -> usize {
        self.ended_by_poison
    }

    /// Runs a subcommand of the fleet's binary; whether it succeeded, and what it said, data first.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn argosy(&self, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
        said(&self.binary, &self.config, arguments)
    }

    /// CPU seconds by process, of those that run.
    pub fn cpu_seconds(&self) -> BTreeMap<String, f64> {
        let ours = [&self.sandbox, &self.gateway, &self.chronicle]
            .into_iter()
            .chain(&self.workers)
            .filter_map(|process| Some((process.name().to_string(), process.cpu_seconds()?)));
        let servers = [
            ("kafka", "kafka/pid"),
            ("postgres", "postgres/data/postmaster.pid"),
        ]
        .into_iter()
        .filter_map(|(name, file)| {
            let pid = cpu::pid_in(&self.folder.path().join(file))?;
            Some((name.to_string(), cpu::seconds_with_children(pid)?))
        });
        ours.chain(servers).collect()
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

    /// Asks the gateway how every accepted event stands; says which of them are not done, or not
    /// dead if they are poison (at most 20).
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
            let wanted = event.poison.map_or("done", |_| "dead");
            async move {
                loop {
                    let answer = super::send(client.get(&url).query(&[("source", &source)])).await;
                    let said = match answer {
                        Ok(answer) => answer.json::<Value>().await.unwrap_or_default(),
                        Err(error) => Value::String(error.to_string()),
                    };
                    if settings::orders_state(&said) == Some(wanted) {
                        return None;
                    }
                    if Instant::now() > deadline {
                        return Some(format!("event {id} is not {wanted}: {said}"));
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

    /// Ends the order workers, then the suppliers: no call and no receipt comes after it. A worker that does not end in
    /// time counts as one that ended unexpectedly.
    ///
    /// # Errors
    ///
    /// If a process that ended by itself cannot be started again.
    pub fn end_workers(&mut self) -> anyhow::Result<()> {
        self.mend()?;
        let mut workers: Vec<_> = self.workers.iter_mut().chain([&mut self.extra]).collect();
        for worker in &mut workers {
            worker.terminate();
        }
        let mut late: Vec<_> = workers.into_iter().filter_map(end_or_kill).collect();
        self.sandbox.terminate();
        late.extend(end_or_kill(&mut self.sandbox));
        self.unexpected.append(&mut late);
        Ok(())
    }

    /// Stops everything; the data is removed unless the run failed.
    pub fn stop(mut self, keep: bool) {
        let few = [
            &mut self.extra,
            &mut self.chronicle,
            &mut self.gateway,
            &mut self.sandbox,
        ];
        for process in self.workers.iter_mut().chain(few) {
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
                self.folder.path().display()
            ));
        } else if let Err(error) = stopped.and_then(|()| self.folder.remove()) {
            progress(&format!("storm: {error:#}"));
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

/// Waits for the end of a process that was told to end; says so if it had to be killed.
fn end_or_kill(process: &mut Process) -> Option<String> {
    let late = process.await_end(END_WITHIN).err()?;
    process.kill();
    Some(late.to_string())
}

/// A server that is just being started again holds itself: it can be killed only when its thread has ended.
impl Drop for Arena {
    fn drop(&mut self) {
        for server in self.servers_busy.drain(..) {
            // What became of the start is nobody's concern now.
            drop(server.join());
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
    let built = without_package(&mut Command::new("cargo"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--release", "--quiet", "-p", "argosy"])
        .status()?;
    anyhow::ensure!(built.success(), "argosy does not build");
    let mut binary = std::env::current_exe()?;
    binary.set_file_name("argosy");
    Ok(binary)
}

/// Builds a release binary of the suites' own, and says where it is.
///
/// # Errors
///
/// If it does not build.
pub fn build_own(name: &str) -> anyhow::Result<PathBuf> {
    progress(&format!("building {name}"));
    let built = without_package(&mut Command::new("cargo"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--release", "--quiet", "-p", "argosy-tests"])
        .args(["--bin", name])
        .status()?;
    anyhow::ensure!(built.success(), "{name} does not build");
    let mut binary = std::env::current_exe()?;
    binary.set_file_name(name);
    Ok(binary)
}

/// Runs a subcommand; whether it succeeded, and what it said, data first.
///
/// # Errors
///
/// If it cannot be started.
pub fn said(binary: &Path, config: &Path, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let output = Command::new(binary)
        .arg("--config")
        .arg(config)
        .args(arguments)
        .output()
        .context("argosy")?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// Runs a subcommand to its end.
///
/// # Errors
///
/// If it fails; with what it said.
pub fn run_once(binary: &Path, config: &Path, arguments: &[&str]) -> anyhow::Result<()> {
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
