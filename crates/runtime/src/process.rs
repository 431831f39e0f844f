//! Puts one worker instance together and runs it until it is told to stop.

use std::{path::PathBuf, sync::Arc, time::Duration};

use argosy_broker::{Broker, BrokerError};
use argosy_kernel::{ParkingConfig, Pump, PumpConfig, RetryPolicy};
use argosy_outbound::Stack;
use argosy_store::{Grouped, Store};
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    Worker,
    health::Health,
    owner::{self, Inbox, Owner, OwnerParts},
    run::Shop,
    slots::{self, AloneTurn, Preparation, Slots},
    timeline::Timelines,
};

/// How long calls that were sent, and writes that were started, may take after the instance left its group.
const AFTERWORK_MAX: Duration = Duration::from_secs(15);

/// What an instance may be told beside its worker.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Lanes running at once.
    pub running_max: usize,
    /// Deadline of one run.
    pub run_deadline: Duration,
    /// Time between commits.
    pub commit_every: Duration,
    /// How long a revoke may wait for running handlers.
    pub drain_budget: Duration,
    /// Attempts before a record is dead.
    pub attempts_max: u32,
    /// Records held per partition before its intake stops.
    pub partition_records_max: usize,
    /// Bytes held per partition before its intake stops.
    pub partition_bytes_max: usize,
    /// How long a write may be unacknowledged before it is reported as failed, and tried again.
    pub message_timeout: Duration,
    /// A lane that waits longer than this moves to the store.
    pub park_after: Duration,
    /// Keys that wait in the store at once, per partition; past it the partition's intake stops.
    pub parked_keys_max: usize,
    /// Bytes that wait in the store at once, per instance; past it intake stops.
    pub parked_bytes_max: usize,
    /// Whether later records of a key wait behind its dead one until an operator ends that. A worker without timelines
    /// holds nothing.
    pub hold_after_dead: bool,
    /// The folder of the slots file; without one, what kills its process is run again and again.
    pub state_dir: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        let parking = ParkingConfig::default();
        Self {
            running_max: 256,
            run_deadline: Duration::from_secs(60),
            commit_every: Duration::from_secs(1),
            drain_budget: Duration::from_secs(5),
            attempts_max: 5,
            partition_records_max: 8_000,
            partition_bytes_max: 32 << 20,
            message_timeout: Duration::from_secs(10),
            park_after: parking.after,
            parked_keys_max: parking.keys_max,
            parked_bytes_max: parking.bytes_max,
            hold_after_dead: false,
            state_dir: None,
        }
    }
}

/// What an instance is built on.
#[derive(Clone)]
pub struct Parts {
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The stack that sends calls.
    pub stack: Arc<Stack>,
    /// Where the instance tells how it is.
    pub health: Health,
    /// Shared by all workers of the process.
    pub alone: AloneTurn,
    /// The rest.
    pub settings: Settings,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Why an instance ended though nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The group cannot be joined, or not any longer.
    #[error("the consumer cannot go on: {0}")]
    Consumer(#[source] BrokerError),
    /// Events cannot be written.
    #[error("the producer cannot be made: {0}")]
    Producer(#[source] BrokerError),
    /// The owner's thread could not be started, or it panicked.
    #[error("the owner of the consumer failed: {0}")]
    Owner(String),
    /// The worker has no handlers.
    #[error("worker `{0}` has no handlers: give it at least one with `.on(handler)`")]
    NoHandlers(&'static str),
}

/// Runs one instance of a worker until `stop` is cancelled and everything in flight is drained, committed and left
/// (at most the shutdown budget of 25 s, and 15 s more for calls that were already sent).
///
/// # Errors
///
/// See [`RuntimeError`].
pub async fn run(
    worker: Worker,
    parts: Parts,
    stop: CancellationToken,
) -> Result<(), RuntimeError> {
    if worker.handlers.is_empty() {
        return Err(RuntimeError::NoHandlers(worker.name()));
    }
    let instance = Uuid::now_v7();
    // Before the group is joined: whoever owns the partitions next knows then what to suspect.
    let Some(slots) = prepare_slots(&worker, &parts, instance, &stop).await else {
        return Ok(());
    };
    let tracker = TaskTracker::new();
    let topics: Vec<Arc<str>> = worker
        .topics
        .iter()
        .map(|topic| Arc::from(*topic))
        .collect();
    let client_id = format!("argosy-{}-{}", worker.name(), instance.simple());
    let producer = parts
        .broker
        .producer(&client_id, parts.settings.message_timeout)
        .map_err(RuntimeError::Producer)?;
    let consumer = owner::join(parts.broker.as_ref(), &worker, &topics, instance)?;
    let (inbox, told) = Inbox::new();
    let timelines = if worker.timelines {
        Timelines::start(instance, Arc::clone(&producer), inbox.clone(), &tracker)
    } else {
        Timelines::none(inbox.clone())
    };
    let shop = Arc::new(Shop {
        worker: worker.name(),
        handled: worker.handlers.types().collect(),
        stack: Arc::clone(&parts.stack),
        store: Grouped::start(Arc::clone(&parts.store), &tracker),
        timelines,
        inbox,
        slots,
        alone: parts.alone,
    });
    let names = topics.iter().map(ToString::to_string).collect();
    let config = pump_config(&worker, names, &parts.settings);
    let owner = Owner::new(OwnerParts {
        instance,
        pump: Pump::new(config, instance.as_u64_pair().1),
        worker,
        topics,
        consumer,
        producer: Arc::clone(&producer),
        store: parts.store,
        shop,
        inbox: told,
        handlers: Handle::current(),
        tracker: tracker.clone(),
        health: parts.health,
        run_deadline: parts.settings.run_deadline,
    });
    let ended = on_own_thread(owner, stop).await;
    tracker.close();
    // A call that was sent records its outcome; past the limit its claim's deadline takes over.
    drop(tokio::time::timeout(AFTERWORK_MAX, tracker.wait()).await);
    ended
}

/// `None` if it was stopped before the store was told what died before.
async fn prepare_slots(
    worker: &Worker,
    parts: &Parts,
    instance: Uuid,
    stop: &CancellationToken,
) -> Option<Slots> {
    let Some(folder) = &parts.settings.state_dir else {
        return Some(Slots::none());
    };
    slots::prepare(Preparation {
        folder,
        worker: worker.name(),
        instance,
        slots: parts.settings.running_max,
        store: &*parts.store,
        health: &parts.health,
        stop,
    })
    .await
}

fn pump_config(worker: &Worker, topics: Vec<String>, settings: &Settings) -> PumpConfig {
    let defaults = PumpConfig::new(worker.name(), topics);
    PumpConfig {
        order: worker.order,
        running_max: settings.running_max,
        run_deadline: settings.run_deadline,
        commit_every: settings.commit_every,
        drain_budget: settings.drain_budget,
        partition_records_max: settings.partition_records_max,
        partition_bytes_max: settings.partition_bytes_max,
        retry: RetryPolicy {
            attempts_max: settings.attempts_max,
            ..defaults.retry
        },
        parking: Some(ParkingConfig {
            after: settings.park_after,
            keys_max: settings.parked_keys_max,
            bytes_max: settings.parked_bytes_max,
            ..ParkingConfig::default()
        }),
        hold_after_dead: settings.hold_after_dead && worker.timelines,
        ..defaults
    }
}

/// The owner turns on a current-thread runtime of its own, so that no handler ever delays a poll.
async fn on_own_thread(owner: Owner, stop: CancellationToken) -> Result<(), RuntimeError> {
    let (done, ended) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("argosy-owner".to_string())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build();
            let result = match runtime {
                Ok(runtime) => runtime.block_on(owner.turn_until_left(stop)),
                Err(error) => Err(RuntimeError::Owner(error.to_string())),
            };
            drop(done.send(result));
        })
        .map_err(|error| RuntimeError::Owner(error.to_string()))?;
    ended
        .await
        .unwrap_or_else(|_| Err(RuntimeError::Owner("it panicked".to_string())))
}
