//! A group member: keeps librdkafka's order of calls, and turns what happened into events for the owner.
//!
//! Invariants: every turn polls the main queue until a poll neither returned nor served anything; an assign is answered
//! in the turn that saw it; queues are dropped before the consumer.
//!
//! A member that left its group because it was not polled goes on as a new one with the consumer protocol: with a rebalance
//! open, librdkafka 2.12 asks to join again in a way that the broker refuses for good ("invalid request").

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use argosy_kernel::{CommitNumber, RevokeNumber};
use futures_util::future::BoxFuture;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    types::RDKafkaErrorCode,
};
use tokio::sync::Notify;

use super::{
    closing::close,
    commits::{self, Commits},
    context::{Answer, Context, Happened},
    errors,
    group::GroupProtocol,
    membership::{Membership, Standing, Step},
    native,
    positions::{committed, list, positions_list},
    queues::Queues,
    settings::KafkaSettings,
};
use crate::port::{
    Batch, BrokerError, Consumer, ConsumerEvent, ConsumerSettings, Position, TopicPartition,
};

/// Events served in one turn.
const TURN_EVENTS_MAX: usize = 1_000;
/// How long leaving the group may hold up whoever closes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A member of a group.
pub(super) struct KafkaConsumer {
    kafka: KafkaSettings,
    settings: ConsumerSettings,
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
    let wake = Arc::new(Notify::new());
    let native = open(kafka, settings, &wake)?;
    Ok(KafkaConsumer {
        kafka: kafka.clone(),
        settings: settings.clone(),
        membership: Membership::default(),
        commits: Commits::default(),
        events: Vec::new(),
        wake,
        queues: Queues::default(),
        native: Some(native),
    })
}

fn open(
    kafka: &KafkaSettings,
    settings: &ConsumerSettings,
    wake: &Arc<Notify>,
) -> Result<Arc<BaseConsumer<Context>>, BrokerError> {
    let mut native: BaseConsumer<Context> = kafka
        .consumer(settings)
        .create_with_context(Context::default())
        .map_err(|error| errors::of_configuration(&error))?;
    let woken = Arc::clone(wake);
    native.set_nonempty_callback(move || woken.notify_one());
    let topics: Vec<&str> = settings.topics.iter().map(|topic| &**topic).collect();
    native
        .subscribe(&topics)
        .map_err(|error| errors::of(&error, "subscribe"))?;
    wake.notify_one();
    Ok(Arc::new(native))
}

impl Consumer for KafkaConsumer {
    fn poll(&mut self, records_max: usize) -> Batch {
        let is_drained = self.serve();
        self.rescue();
        for happened in self.native().context().take() {
            if self.act(happened).is_break() {
                break;
            }
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
        match self.kafka.group {
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
            native::add_brokers(consumer.client(), &self.kafka.bootstrap);
        }
    }

    /// Breaks if what else happened is of a consumer that is no more.
    fn act(&mut self, happened: Happened) -> ControlFlow<()> {
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
            Happened::Fault(code, reason) => return self.fault(code, &reason),
        }
        ControlFlow::Continue(())
    }

    fn fault(&mut self, code: RDKafkaErrorCode, reason: &str) -> ControlFlow<()> {
        if code == RDKafkaErrorCode::PollExceeded {
            self.events
                .push(ConsumerEvent::Fault(errors::of_code(code, reason)));
            if let GroupProtocol::Consumer { .. } = self.kafka.group {
                self.begin_anew();
                return ControlFlow::Break(());
            }
            let steps = self.membership.thrown_out();
            self.run(steps);
            return ControlFlow::Continue(());
        }
        // A fatal error is told by the code of its cause, which need not be one that is always fatal.
        let fatal = self.native().client().fatal_error();
        let code = fatal.as_ref().map_or(code, |(cause, _)| *cause);
        self.events
            .push(if fatal.is_some() || errors::ends_consumer(code) {
                ConsumerEvent::Fatal(self.fatal(code, reason))
            } else {
                ConsumerEvent::Fault(errors::of_code(code, reason))
            });
        ControlFlow::Continue(())
    }

    fn fatal(&self, code: RDKafkaErrorCode, reason: &str) -> BrokerError {
        match (&self.kafka.group, code) {
            (
                GroupProtocol::Classic {
                    instance_id: Some(instance_id),
                    ..
                },
                RDKafkaErrorCode::FencedInstanceId,
            ) => errors::fenced(instance_id),
            (
                GroupProtocol::Consumer {
                    remote_assignor: Some(remote_assignor),
                },
                RDKafkaErrorCode::UnsupportedAssignor,
            ) => errors::no_assignor(remote_assignor),
            _ => errors::of_code(code, reason),
        }
    }

    /// Goes on as a new member: everything of the old one is lost, and its commits count as stale.
    fn begin_anew(&mut self) {
        let new = match open(&self.kafka, &self.settings, &self.wake) {
            Ok(new) => new,
            Err(error) => return self.events.push(ConsumerEvent::Fatal(error)),
        };
        tracing::warn!("the consumer left its group and joins it again as a new member");
        let steps = self.membership.begin_anew();
        self.run(steps);
        let steps = self.commits.give_up();
        self.run_commit(steps);
        let old = self.native.replace(new);
        // Its end is not waited for: it has left, and the owner must take its turns.
        drop(close(old, std::mem::take(&mut self.queues)));
    }

    fn commit_ended(&mut self, error: Option<RDKafkaErrorCode>) {
        if let Some(code @ RDKafkaErrorCode::FencedInstanceId) = error {
            self.events
                .push(ConsumerEvent::Fatal(self.fatal(code, "commit")));
        }
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
        match consumer.incremental_assign(&list(partitions)) {
            Ok(()) => consumer.context().answered(Answer::Assign),
            Err(error) => self.refused("assign", &error),
        }
    }

    fn unassign(&mut self, partitions: &[TopicPartition]) {
        match self.native().incremental_unassign(&list(partitions)) {
            Ok(()) => self.native().context().answered(Answer::Unassign),
            Err(error) => self.refused("unassign", &error),
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
                let known = self.settings.topics.iter().find(|known| ***known == *topic);
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
        let steps = self.membership.leave();
        self.run(steps);
        let ended = close(self.native.take(), std::mem::take(&mut self.queues));
        // librdkafka waits for its coordinator for up to a session timeout; the process must not.
        if ended.is_some_and(|ended| ended.recv_timeout(CLOSE_TIMEOUT).is_err()) {
            tracing::warn!(
                "the consumer group was not left within {CLOSE_TIMEOUT:?}: its session will expire"
            );
        }
    }
}

fn closed() -> BrokerError {
    BrokerError::Unavailable("the consumer is closed".into())
}
