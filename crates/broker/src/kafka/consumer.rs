//! A group member: keeps librdkafka's order of calls, and turns what happened into events for the owner.
//!
//! Invariants: every turn polls the main queue until a poll neither returned nor served anything; an assign is answered
//! in the turn that saw it; queues are dropped before the consumer; a consumer that is dropped answers what is open.

use std::{sync::Arc, sync::mpsc, thread, time::Duration};

use argosy_kernel::{CommitNumber, Offset, RevokeNumber};
use futures_util::future::BoxFuture;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    topic_partition_list::{Offset as NativeOffset, TopicPartitionList},
    types::RDKafkaErrorCode,
};
use tokio::sync::Notify;

use super::{
    commits::{self, Commits},
    context::{Context, Happened},
    errors,
    group::GroupProtocol,
    membership::{Membership, Standing, Step},
    native,
    queues::Queues,
    settings::KafkaSettings,
};
use crate::port::{
    Batch, BrokerError, Consumer, ConsumerEvent, ConsumerSettings, Position, TopicPartition,
};

/// Events served in one turn.
const TURN_EVENTS_MAX: usize = 1_000;
/// How long reading committed positions may take.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(5);
/// How long leaving the group may hold up whoever closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A member of a group.
pub(super) struct KafkaConsumer {
    bootstrap: String,
    group: GroupProtocol,
    topics: Vec<Arc<str>>,
    membership: Membership,
    commits: Commits,
    events: Vec<ConsumerEvent>,
    wake: Arc<Notify>,
    queues: Queues,
    /// `None` only while it is dropped.
    native: Option<Arc<BaseConsumer<Context>>>,
}

/// Joins the group; its first assignment comes as an event.
pub(super) fn join(
    kafka: &KafkaSettings,
    settings: &ConsumerSettings,
) -> Result<KafkaConsumer, BrokerError> {
    let config = kafka.consumer(settings);
    let mut native: BaseConsumer<Context> = config
        .create_with_context(Context::default())
        .map_err(|error| errors::of_configuration(&error))?;
    let wake = Arc::new(Notify::new());
    let woken = Arc::clone(&wake);
    native.set_nonempty_callback(move || woken.notify_one());
    let topics: Vec<&str> = settings.topics.iter().map(|topic| &**topic).collect();
    native
        .subscribe(&topics)
        .map_err(|error| errors::of(&error, "subscribe"))?;
    wake.notify_one();
    Ok(KafkaConsumer {
        bootstrap: kafka.bootstrap.clone(),
        group: kafka.group.clone(),
        topics: settings.topics.clone(),
        membership: Membership::default(),
        commits: Commits::default(),
        events: Vec::new(),
        wake,
        queues: Queues::default(),
        native: Some(Arc::new(native)),
    })
}

impl Consumer for KafkaConsumer {
    fn poll(&mut self, records_max: usize) -> Batch {
        let is_drained = self.serve();
        self.rescue();
        for happened in self.native().context().take() {
            self.act(happened);
        }
        let mut records = Vec::new();
        let more = self.queues.take(records_max, &mut records);
        Batch {
            events: std::mem::take(&mut self.events),
            records,
            more: more || !is_drained,
        }
    }

    fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    fn hold(&mut self, partition: &TopicPartition) {
        self.queues.hold(partition);
    }

    fn resume(&mut self, partition: &TopicPartition) {
        self.queues.resume(partition);
        self.wake.notify_one();
    }

    fn let_go(&mut self, revoke: RevokeNumber) {
        let standing = self.standing();
        let steps = self.membership.let_go(&standing, revoke);
        self.run(steps);
        self.wake.notify_one();
    }

    fn commit(&mut self, commit: CommitNumber, positions: Vec<Position>) {
        let standing = self.standing();
        let steps = self.membership.checked(&standing);
        self.run(steps);
        let membership = &self.membership;
        let step = self
            .commits
            .start(commit, positions, |of| membership.is_told(of));
        self.run_commit(step.into_iter().collect());
        self.wake.notify_one();
    }

    fn committed(
        &self,
        of: Vec<TopicPartition>,
    ) -> BoxFuture<'static, Result<Vec<Option<Position>>, BrokerError>> {
        let consumer = Arc::downgrade(self.native());
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || {
                let consumer = consumer.upgrade().ok_or_else(closed)?;
                committed(&consumer, &of)
            });
            read.await.unwrap_or_else(|_| Err(closed()))
        })
    }

    fn close(self: Box<Self>) {
        drop(self);
    }
}

impl KafkaConsumer {
    fn native(&self) -> &Arc<BaseConsumer<Context>> {
        self.native.as_ref().expect("taken only by drop")
    }

    fn standing(&self) -> Standing {
        let (id, epoch) = native::member(self.native());
        match self.group {
            GroupProtocol::Classic { .. } if !id.is_empty() => Standing::Classic(id),
            GroupProtocol::Consumer { .. } if epoch > 0 => Standing::Consumer(epoch),
            _ => Standing::Outside,
        }
    }

    /// Lets librdkafka call the context; true if nothing is left to serve.
    fn serve(&self) -> bool {
        let consumer = self.native();
        for _ in 0..TURN_EVENTS_MAX {
            let before = consumer.context().served();
            match consumer.poll(Duration::ZERO) {
                // The context was told, with librdkafka's words.
                Some(Err(_)) => {}
                Some(Ok(message)) => {
                    // Every partition is split before it is assigned. Passed over, the record stays uncommitted.
                    let (topic, partition) = (
                        rdkafka::Message::topic(&message),
                        rdkafka::Message::partition(&message),
                    );
                    tracing::error!(topic, partition, "a record came on the main queue");
                }
                None if consumer.context().served() == before => return true,
                None => {}
            }
        }
        false
    }

    /// Stranded, it would never be polled into a group again.
    fn rescue(&self) {
        let consumer = self.native();
        if consumer.context().is_stranded() {
            tracing::warn!("the consumer knew no broker any more: told the bootstrap list anew");
            native::add_brokers(consumer.client(), &self.bootstrap);
        }
    }

    fn act(&mut self, happened: Happened) {
        match happened {
            Happened::Assigned(added) => {
                let standing = self.standing();
                let added = self.named(added);
                let steps = self.membership.assigned(&standing, added);
                self.run(steps);
            }
            Happened::Revoked(partitions) => {
                let standing = self.standing();
                let partitions = self.named(partitions);
                let steps = self.membership.revoked(&standing, partitions);
                self.run(steps);
            }
            Happened::Lost(partitions) => {
                let partitions = self.named(partitions);
                let steps = self.membership.lost(partitions);
                self.run(steps);
            }
            Happened::Committed(error) => self.commit_ended(error),
            Happened::Fault(code, reason) => {
                if code == RDKafkaErrorCode::PollExceeded {
                    let steps = self.membership.thrown_out();
                    self.run(steps);
                }
                let fault = errors::of_code(code, &reason);
                self.events.push(if errors::ends_consumer(code) {
                    ConsumerEvent::Fatal(fault)
                } else {
                    ConsumerEvent::Fault(fault)
                });
            }
        }
    }

    fn commit_ended(&mut self, error: Option<RDKafkaErrorCode>) {
        let membership = &self.membership;
        let steps = self.commits.ended(error, |of| membership.is_told(of));
        self.run_commit(steps);
    }

    fn run(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Assign(partitions) => self.assign(&partitions),
                Step::Unassign(partitions) => self.unassign(&partitions),
                Step::Open(partitions) => partitions.iter().for_each(|of| self.queues.open(of)),
                Step::Shut(partitions) => partitions.iter().for_each(|of| self.queues.shut(of)),
                Step::Tell(event) => self.events.push(event),
            }
        }
    }

    fn run_commit(&mut self, steps: Vec<commits::Step>) {
        for step in steps {
            match step {
                commits::Step::Ended(number, results) => self
                    .events
                    .push(ConsumerEvent::CommitEnded(number, results)),
                commits::Step::Send(positions) => {
                    let list = positions_list(&positions);
                    if let Err(code) = native::commit(self.native(), &list) {
                        self.commit_ended(Some(code));
                    }
                }
            }
        }
    }

    fn assign(&mut self, partitions: &[TopicPartition]) {
        let consumer = Arc::clone(self.native());
        for partition in partitions {
            if let Err(error) = self.queues.split(&consumer, partition, &self.wake) {
                self.events.push(ConsumerEvent::Fatal(error));
            }
        }
        if let Err(error) = consumer.incremental_assign(&list(partitions)) {
            self.refused("assign", &error);
        }
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) {
        if let Err(error) = self.native().incremental_unassign(&list(partitions)) {
            self.refused("unassign", &error);
        }
        for partition in partitions {
            self.queues.free(partition);
        }
    }

    /// Unanswered, a rebalance stops all partitions for good: the owner must begin anew.
    fn refused(&mut self, what: &str, error: &rdkafka::error::KafkaError) {
        self.events
            .push(ConsumerEvent::Fatal(BrokerError::Unavailable(format!(
                "librdkafka refuses to {what}: {error}"
            ))));
    }

    fn named(&self, partitions: Vec<(String, i32)>) -> Vec<TopicPartition> {
        partitions
            .into_iter()
            .map(|(topic, partition)| {
                let known = self.topics.iter().find(|known| ***known == *topic);
                TopicPartition {
                    topic: known.map_or_else(|| Arc::from(topic), Arc::clone),
                    partition,
                }
            })
            .collect()
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.native().context().close();
        let steps = self.membership.leave();
        self.run(steps);
        self.queues = Queues::default();
        let native = self.native.take();
        // librdkafka waits for its coordinator for up to a session timeout; the process must not.
        let (done, ended) = mpsc::channel();
        let closing = thread::Builder::new()
            .name("kafka-close".into())
            .spawn(move || {
                drop(native);
                // Nobody may be waiting any more.
                done.send(()).ok();
            });
        if closing.is_ok() && ended.recv_timeout(CLOSE_TIMEOUT).is_err() {
            tracing::warn!(
                "the consumer group was not left within {CLOSE_TIMEOUT:?}: its session will expire"
            );
        }
    }
}

fn closed() -> BrokerError {
    BrokerError::Unavailable("the consumer is closed".into())
}

fn list(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for of in partitions {
        list.add_partition(&of.topic, of.partition);
    }
    list
}

fn positions_list(positions: &[Position]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for position in positions {
        let mut line = list.add_partition(&position.of.topic, position.of.partition);
        line.set_offset(NativeOffset::Offset(position.offset.0.max(0)))
            .expect("no offset below zero");
        // Once: a second call would leak the first.
        if let Some(metadata) = &position.metadata {
            line.set_metadata(metadata);
        }
    }
    list
}

fn committed(
    consumer: &BaseConsumer<Context>,
    of: &[TopicPartition],
) -> Result<Vec<Option<Position>>, BrokerError> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let read = consumer
        .committed_offsets(list(of), COMMITTED_TIMEOUT)
        .map_err(|error| errors::of(&error, "read committed positions"))?;
    let rows = native::rows(&read);
    of.iter()
        .map(|of| {
            let row = rows
                .iter()
                .find(|row| *row.topic == *of.topic && row.partition == of.partition);
            let Some(row) = row else { return Ok(None) };
            if let Some(code) = row.error {
                let what = format!(
                    "read the committed position of {}/{}",
                    of.topic, of.partition
                );
                return Err(errors::of_code(code, &what));
            }
            Ok((row.offset >= 0).then(|| Position {
                of: of.clone(),
                offset: Offset(row.offset),
                metadata: row.metadata.as_ref().map(|text| text.clone().into_owned()),
            }))
        })
        .collect()
}
