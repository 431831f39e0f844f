//! `argosy worker <name>…`: one instance of each named worker, with probes on a port of their own.

use std::{sync::Arc, time::Duration};

use argosy_broker::Broker;
use argosy_runtime::{AloneTurn, Parts, Settings, Snapshot, Worker};
use argosy_shell::{
    config::{self, Config, Part},
    exit::Exit,
    probes::{Asked, HEARTBEAT_AGE_MAX, Readiness},
};
use argosy_store::Store;
use clap::{Args, ValueEnum};

use crate::{
    cli::Common,
    failed::{Failed, at_broker},
    output::say,
    parts,
    process::{self, Process, serve_probes, stay},
};

/// A run this much past its deadline means that it cannot be dropped.
const OVERDUE_MAX: Duration = Duration::from_secs(30);
/// A start without an assignment counts as started after this long: there may be more instances than partitions.
const START_MAX: Duration = Duration::from_secs(60);
const START_CHECK_EVERY: Duration = Duration::from_millis(200);

/// Run one instance of each named worker
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  argosy worker orders\n  argosy worker orders chronicle\n  \
    ARGOSY__PROBES__LISTEN=127.0.0.1:0 argosy worker orders   # a second instance on one machine\n\n\
    SIGTERM drains: running handlers may end, their offsets are committed, the group is left."
)]
pub(crate) struct Arguments {
    /// Which workers
    #[arg(required = true, value_name = "NAME")]
    names: Vec<Name>,
}

/// The workers of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Name {
    /// Routes approved orders to their suppliers
    Orders,
    /// Projects timelines into the store
    Chronicle,
}

impl Name {
    pub(crate) const ALL: [Self; 2] = [Self::Orders, Self::Chronicle];

    /// As it stands on the command line.
    fn shown(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

pub(crate) fn run(common: &Common, arguments: &Arguments) -> Result<Exit, Failed> {
    let mut names = arguments.names.clone();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = format!(
            "worker {} is named twice: a process runs one instance of each, a second process runs a second",
            twice[0].shown()
        );
        return Err(Failed::new(Exit::Usage, message));
    }
    let mut needed = vec![Part::Store];
    if names.contains(&Name::Orders) {
        needed.push(Part::Orders);
    }
    let config = common.load(&needed)?;
    let shown: Vec<String> = names.iter().map(|name| name.shown()).collect();
    stay(
        &config,
        &format!("worker {}", shown.join(" ")),
        async |process| {
            let broker = parts::broker(&config)?;
            let store: Arc<dyn Store> = parts::postgres(&config)?;
            let workers = parts_of(&names, &config, &process, &broker, &store)?;
            serve_probes(&config, &process).await?;
            Ok(workers)
        },
    )
}

/// The named workers as parts of a process, watched.
pub(crate) fn parts_of(
    names: &[Name],
    config: &Config,
    process: &Process,
    broker: &Arc<dyn Broker>,
    store: &Arc<dyn Store>,
) -> Result<Vec<(String, process::Part)>, Failed> {
    let admin = broker.admin().map_err(at_broker(config))?;
    parts::watch(process, admin, Arc::clone(store));
    let stack = parts::stack(config, process)?;
    let mut all = Vec::new();
    let mut watched = Vec::new();
    let alone = AloneTurn::default();
    for name in names {
        let worker = worker(*name, config, store)?;
        let title = format!("worker {}", worker.name());
        let health = argosy_runtime::Health::new();
        watched.push(health.clone());
        let (live, ready) = (health.clone(), health.clone());
        process
            .health
            .ask_live(&title, move || liveness(&live.snapshot()));
        process
            .health
            .ask_ready(&title, move || readiness(&ready.snapshot()));
        let parts = Parts {
            broker: Arc::clone(broker),
            store: Arc::clone(store),
            stack: Arc::clone(&stack),
            health,
            alone: alone.clone(),
            settings: settings(&config.worker),
        };
        let (stop, health, checked) = (process.stop.clone(), process.health.clone(), title.clone());
        let part: process::Part = Box::pin(async move {
            let ended = argosy_runtime::run(worker, parts, stop).await;
            health.retire(&checked);
            Ok(ended?)
        });
        say(&format!("{title} starts"));
        all.push((title, part));
    }
    await_start(process, watched);
    Ok(all)
}

fn worker(name: Name, config: &Config, store: &Arc<dyn Store>) -> Result<Worker, Failed> {
    match name {
        Name::Orders => parts::suppliers::orders(config),
        Name::Chronicle => Ok(argosy_chronicle::worker(Arc::clone(store))),
    }
}

fn settings(worker: &config::Worker) -> Settings {
    Settings {
        running_max: worker.running_max,
        run_deadline: worker.run_deadline,
        commit_every: worker.commit_every,
        drain_budget: worker.drain_budget,
        attempts_max: worker.attempts_max,
        partition_records_max: worker.partition_records_max,
        partition_bytes_max: worker.partition_bytes_max,
        park_after: worker.park_after,
        parked_keys_max: worker.parked_keys_max,
        parked_bytes_max: worker.parked_bytes_max,
        hold_after_dead: worker.hold_after_dead,
        state_dir: Some(worker.state_dir.clone()),
        ..Settings::default()
    }
}

/// Faults of this process alone: a broker or vendor that is away stops no heart.
fn liveness(seen: &Snapshot) -> Asked {
    if seen.heartbeat_age > HEARTBEAT_AGE_MAX {
        let age = seen.heartbeat_age.as_secs();
        return (
            Readiness::NotReady,
            format!("the pump last turned {age} s ago"),
        );
    }
    match seen.overdue {
        Some(overdue) if overdue > OVERDUE_MAX => {
            let overdue = overdue.as_secs();
            (
                Readiness::NotReady,
                format!("a run is {overdue} s past its deadline"),
            )
        }
        _ => (Readiness::Ok, "the pump turns".to_owned()),
    }
}

fn readiness(seen: &Snapshot) -> Asked {
    if seen.draining {
        return (Readiness::NotReady, "draining".to_owned());
    }
    match &seen.broker_fault {
        // Probes are open to anybody: what the broker says is for the log.
        Some(_) => {
            let told = "the broker does not answer as it should: see the log";
            (Readiness::Degraded, told.to_owned())
        }
        None if seen.assigned == 0 => (Readiness::Ok, "standing by without partitions".to_owned()),
        None => (Readiness::Ok, format!("{} partitions", seen.assigned)),
    }
}

fn await_start(process: &Process, watched: Vec<argosy_runtime::Health>) {
    let (health, stop) = (process.health.clone(), process.stop.clone());
    process.tracker.spawn(async move {
        let all_joined = async {
            while !watched.iter().all(|worker| worker.snapshot().joined) {
                tokio::time::sleep(START_CHECK_EVERY).await;
            }
        };
        let joined = tokio::time::timeout(START_MAX, all_joined);
        if stop.run_until_cancelled(joined).await.is_some() {
            health.started();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_tells_that_the_broker_is_away_and_not_what_its_client_said() {
        let fault = "10.0.0.7:9092/1: Connect failed: Connection refused";
        let seen = Snapshot {
            broker_fault: Some(fault.to_owned()),
            ..argosy_runtime::Health::new().snapshot()
        };
        let (standing, told) = readiness(&seen);
        assert_eq!(standing, Readiness::Degraded);
        assert_eq!(told, "the broker does not answer as it should: see the log");
    }
}
