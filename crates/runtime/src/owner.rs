//! The one task that owns consumer and pump: it turns what happened into inputs, and actions into calls.
//!
//! Invariant: nobody else touches the consumer, and nothing here waits for the network. A turn takes everything that
//! is in the inbox, then at most [`POLL_RECORDS_MAX`] records; so neither completions nor records starve the other.

mod actions;
mod intake;
mod measures;
mod parking;
mod plan_steps;
mod writes;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use argosy_broker::{Broker, Consumer, ConsumerEvent, Producer, TopicPartition};
use argosy_kernel::{
    Action, Assignment, At, CommitResult, Epoch, Input, Partition, Pump, TopicIndex,
};
use argosy_store::Store;
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    Worker,
    clock::Clock,
    delivered::{Body, Residue},
    health::Health,
    process::RuntimeError,
    run::{Shop, Stop},
    telemetry,
};

/// Records taken from the broker per turn.
const POLL_RECORDS_MAX: usize = 1_000;

/// Messages taken from the inbox per turn.
const INBOX_MAX: usize = 4_096;

/// The owner turns at least this often, so that its heartbeat shows that it lives.
const TURN_AT_LEAST_EVERY: Duration = Duration::from_secs(1);

pub(crate) type Told = Input<Body, Residue>;

/// The way to tell the owner something.
///
/// Unbounded: each message answers an action of the pump, and those are bounded by its budgets.
#[derive(Clone, Debug)]
pub(crate) struct Inbox(mpsc::UnboundedSender<Told>);

impl Inbox {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Told>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(crate) fn tell(&self, input: Told) {
        // Without an owner the process is ending, and nobody needs to know.
        drop(self.0.send(input));
    }
}

/// Everything that an owner is made of.
pub(crate) struct OwnerParts {
    pub(crate) instance: Uuid,
    pub(crate) worker: Worker,
    pub(crate) pump: Pump<Body, Residue>,
    pub(crate) topics: Vec<Arc<str>>,
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) producer: Arc<dyn Producer>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) shop: Arc<Shop>,
    pub(crate) inbox: mpsc::UnboundedReceiver<Told>,
    pub(crate) handlers: Handle,
    pub(crate) tracker: TaskTracker,
    pub(crate) health: Health,
    pub(crate) run_deadline: Duration,
}

/// See the module page.
pub(crate) struct Owner {
    parts: OwnerParts,
    clock: Clock,
    topic_index: HashMap<Arc<str>, TopicIndex>,
    assignments: u64,
    epochs: HashMap<Partition, Epoch>,
    /// Closed when a partition stops dispatching: runs start no further record.
    gates: BTreeMap<Partition, CancellationToken>,
    live: HashMap<At, Live>,
    first_failures: HashMap<At, i64>,
    asking: plan_steps::Asking,
    measures: measures::Measures,
    left: bool,
    was_open: bool,
}

/// A record that was handed to a run.
struct Live {
    stop: Stop,
    /// When its turn came, at the earliest: the record before it ended then.
    since: argosy_kernel::Time,
    /// All records of the same hand-over.
    together: Arc<[At]>,
}

impl Owner {
    pub(crate) fn new(parts: OwnerParts) -> Self {
        let topic_index = parts
            .topics
            .iter()
            .zip(0u16..)
            .map(|(topic, index)| (Arc::clone(topic), TopicIndex(index)));
        Self {
            clock: Clock::start(),
            topic_index: topic_index.collect(),
            assignments: 0,
            epochs: HashMap::new(),
            gates: BTreeMap::new(),
            live: HashMap::new(),
            first_failures: HashMap::new(),
            asking: plan_steps::Asking::default(),
            measures: measures::Measures::default(),
            left: false,
            was_open: true,
            parts,
        }
    }

    /// Turns until the pump has left the group, or the consumer cannot go on.
    pub(crate) async fn turn_until_left(
        mut self,
        stop: CancellationToken,
    ) -> Result<(), RuntimeError> {
        let wake = self.parts.consumer.wake();
        let mut told = Vec::new();
        let mut stopping = false;
        let mut fatal = None;
        while !self.left {
            if stop.is_cancelled() && !stopping {
                stopping = true;
                self.parts.health.draining();
                self.feed(Input::Shutdown);
            }
            while let Ok(input) = self.parts.inbox.try_recv() {
                told.push(input);
                if told.len() >= INBOX_MAX {
                    break;
                }
            }
            for input in told.drain(..) {
                self.hear(input);
            }
            let is_open = self.is_open();
            let batch = self
                .parts
                .consumer
                .poll(if is_open { POLL_RECORDS_MAX } else { 0 });
            for event in batch.events {
                if let ConsumerEvent::Fatal(error) = event {
                    fatal = Some(error);
                } else {
                    self.happened(event);
                }
            }
            if let Some(error) = fatal {
                return Err(RuntimeError::Consumer(error));
            }
            self.take_in(batch.records);
            if self
                .parts
                .pump
                .wake_at()
                .is_some_and(|at| at <= self.clock.now())
            {
                self.feed(Input::Tick);
            }
            self.ask_for_plan_steps();
            self.measure();
            self.report_health();
            if (batch.more && is_open) || !self.parts.inbox.is_empty() || self.left {
                // Other tasks of this thread (timers, wake-ups) get their turn.
                tokio::task::yield_now().await;
                continue;
            }
            let now = self.clock.now();
            let until = self
                .parts
                .pump
                .wake_at()
                .unwrap_or(now.plus(TURN_AT_LEAST_EVERY));
            let until = self.clock.instant(until.min(now.plus(TURN_AT_LEAST_EVERY)));
            tokio::select! {
                () = wake.notified() => {}
                Some(input) = self.parts.inbox.recv() => told.push(input),
                () = tokio::time::sleep_until(until) => {}
                () = stop.cancelled(), if !stopping => {}
            }
        }
        self.parts.consumer.close();
        Ok(())
    }

    /// May records be taken in? An acknowledgement of a step, which wakes the owner, opens it again.
    fn is_open(&mut self) -> bool {
        let is_open = !self.parts.shop.timelines.is_full();
        if self.was_open != is_open {
            self.was_open = is_open;
            telemetry::intake(is_open);
        }
        is_open
    }

    /// Feeds the pump and carries out what it asks for.
    fn feed(&mut self, input: Told) {
        let actions = self.parts.pump.on(input, self.clock.now());
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action<Body, Residue>>) {
        let mut takes = Vec::new();
        for action in actions {
            self.act(action, &mut takes);
        }
        if !takes.is_empty() {
            self.take_owners(takes);
        }
    }

    fn report_health(&self) {
        let now = self.clock.now();
        let deadline = self.parts.run_deadline;
        let overdue = self
            .live
            .values()
            .filter_map(|live| now.since(live.since).checked_sub(deadline))
            .max();
        self.parts.health.turned(self.gates.len(), overdue);
    }

    fn next_assignment(&mut self) -> Assignment {
        self.assignments += 1;
        Assignment(self.assignments)
    }

    fn partition(&self, at: &TopicPartition) -> Option<Partition> {
        let topic = *self.topic_index.get(&at.topic)?;
        Some(Partition {
            topic,
            number: at.partition,
        })
    }

    fn name(&self, partition: Partition) -> TopicPartition {
        let topic = Arc::clone(&self.parts.topics[usize::from(partition.topic.0)]);
        TopicPartition {
            topic,
            partition: partition.number,
        }
    }

    /// An event of the consumer, as an input of the pump.
    fn happened(&mut self, event: ConsumerEvent) {
        match event {
            ConsumerEvent::Assigned(added) => {
                telemetry::assigned(&added);
                self.parts.health.joined();
                let assignment = self.next_assignment();
                let partitions: Vec<_> = added.iter().filter_map(|at| self.partition(at)).collect();
                for partition in &partitions {
                    self.gates.insert(*partition, CancellationToken::new());
                }
                self.feed(Input::Assigned {
                    assignment,
                    partitions,
                });
            }
            ConsumerEvent::RevokeAsked(revoke, taken) => {
                telemetry::revoke_asked(&taken);
                let partitions = self.close_gates(&taken);
                self.feed(Input::RevokeAsked { revoke, partitions });
            }
            ConsumerEvent::Lost(taken) => {
                telemetry::membership_lost(&taken, crate::clock::wall_ms());
                let partitions = self.close_gates(&taken);
                self.feed(Input::Lost { partitions });
            }
            ConsumerEvent::CommitEnded(commit, results) => {
                if results
                    .iter()
                    .any(|(_, result)| *result == CommitResult::Accepted)
                {
                    self.parts.health.broker_fault(None);
                }
                let results = results
                    .into_iter()
                    .filter_map(|(at, result)| Some((self.partition(&at)?, result)));
                let results = results.collect();
                self.feed(Input::CommitEnded { commit, results });
            }
            ConsumerEvent::Fault(error) => {
                telemetry::broker_fault(&error);
                // Probes are open to anybody: what the client says is for the log.
                let told = "the broker does not answer as it should: see the log";
                self.parts.health.broker_fault(Some(told.to_owned()));
            }
            ConsumerEvent::Fatal(_) => {}
        }
    }

    fn close_gates(&mut self, taken: &[TopicPartition]) -> Vec<Partition> {
        let partitions: Vec<_> = taken.iter().filter_map(|at| self.partition(at)).collect();
        for partition in &partitions {
            if let Some(gate) = self.gates.remove(partition) {
                gate.cancel();
            }
        }
        self.first_failures
            .retain(|at, _| !partitions.contains(&at.partition));
        partitions
    }
}

/// Joins the group. Apart from the rest, since it is the only thing here that can fail.
pub(crate) fn join(
    broker: &dyn Broker,
    worker: &Worker,
    topics: &[Arc<str>],
    instance: Uuid,
) -> Result<Box<dyn Consumer>, RuntimeError> {
    let settings = argosy_broker::ConsumerSettings {
        group: worker.name().to_string(),
        topics: topics.to_vec(),
        client_id: format!("argosy-{}-{}", worker.name(), instance.simple()),
    };
    broker.consumer(settings).map_err(RuntimeError::Consumer)
}
