//! The port: what the runtime and the gateway ask of a broker, batch first.

use std::{fmt, sync::Arc, time::Duration};

use argosy_kernel::{CommitNumber, CommitResult, Offset, RevokeNumber};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

/// A topic's partition by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
}

/// A header; brokers allow any bytes as value, and repeated names.
pub type Header = (String, Bytes);

/// A record to write.
#[derive(Clone)]
pub struct Message {
    /// The topic.
    pub topic: Arc<str>,
    /// `None` lets the partitioner choose (murmur2 of the key, random without one).
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<Header>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.value.as_ref().map_or(0, Bytes::len);
        write!(f, "Message({}, {bytes} bytes)", self.topic)
    }
}

/// A record as it was read: key, headers and value are slices of one allocation.
#[derive(Clone)]
pub struct Delivery {
    /// Where it came from.
    pub from: TopicPartition,
    /// Its position.
    pub offset: i64,
    /// Broker timestamp, milliseconds since 1970; `None` if unknown.
    pub timestamp_ms: Option<i64>,
    /// The key, if it has one.
    pub key: Option<Bytes>,
    /// The value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// The headers, in order.
    pub headers: Vec<Header>,
    /// Bytes of key, value and headers together.
    pub bytes: usize,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}@{} ({} bytes)",
            self.from.topic, self.from.partition, self.offset, self.bytes
        )
    }
}

/// What a consumer tells beside records.
#[derive(Debug)]
pub enum ConsumerEvent {
    /// Partitions were added; the adapter has applied the assignment already.
    Assigned(Vec<TopicPartition>),
    /// The group wants partitions back; answer with `Consumer::let_go`.
    RevokeAsked(RevokeNumber, Vec<TopicPartition>),
    /// Partitions were lost against our will; nothing may be committed for them.
    Lost(Vec<TopicPartition>),
    /// A commit ended.
    CommitEnded(CommitNumber, Vec<(TopicPartition, CommitResult)>),
    /// The client reports a fault that it mends by itself; for readiness and the log.
    Fault(BrokerError),
    /// The consumer cannot go on (fenced static member, authorization, invalid configuration).
    Fatal(BrokerError),
}

/// What one turn brought.
#[derive(Debug, Default)]
pub struct Batch {
    /// Events, in order; to be handled before the records.
    pub events: Vec<ConsumerEvent>,
    /// Records, in offset order within each partition.
    pub records: Vec<Delivery>,
    /// There is more: poll again without waiting for the wake-up.
    pub more: bool,
}

/// Position and metadata of a partition.
#[derive(Clone, Debug)]
pub struct Position {
    /// Which.
    pub of: TopicPartition,
    /// The next offset to read.
    pub offset: Offset,
    /// What is stored beside it; `None` for nothing.
    pub metadata: Option<String>,
}

/// How a worker joins its group.
#[derive(Clone, Debug)]
pub struct ConsumerSettings {
    /// The consumer group.
    pub group: String,
    /// The topics.
    pub topics: Vec<Arc<str>>,
    /// Shown in the broker's own tools.
    pub client_id: String,
}

/// A group member. All calls are made by the one task that owns it, and none of them waits for the network.
pub trait Consumer: Send {
    /// Collects what is there: all events, and at most `records_max` records, round robin over partitions.
    fn poll(&mut self, records_max: usize) -> Batch;

    /// Woken (sticky, `notify_one`) when there may be something to poll.
    fn wake(&self) -> Arc<Notify>;

    /// Takes no more records of this partition, cheaply, until `resume`.
    fn hold(&mut self, partition: &TopicPartition);

    /// Takes its records again.
    fn resume(&mut self, partition: &TopicPartition);

    /// Answers a revoke. Unknown numbers (superseded by a loss) are ignored.
    fn let_go(&mut self, revoke: RevokeNumber);

    /// Starts a commit; its end is an event.
    fn commit(&mut self, commit: CommitNumber, positions: Vec<Position>);

    /// Reads the group's committed positions, off the owner's task; `None` for a partition without one.
    fn committed(
        &self,
        of: Vec<TopicPartition>,
    ) -> BoxFuture<'static, Result<Vec<Option<Position>>, BrokerError>>;

    /// Leaves the group and closes; blocks at most a few seconds. Open revokes are answered at once.
    fn close(self: Box<Self>);
}

/// Writes records: acks=all, idempotent, in order per partition.
pub trait Producer: Send + Sync {
    /// Enqueues all at once, in order; resolves when each is acknowledged or has failed, one result per message.
    fn send(
        &self,
        messages: Vec<Message>,
    ) -> BoxFuture<'static, Vec<Result<(i32, i64), BrokerError>>>;

    /// Waits until everything enqueued is acknowledged or failed, at most so long.
    fn flush(&self, at_most: Duration) -> BoxFuture<'_, Result<(), BrokerError>>;
}

/// A topic as the cluster has it.
pub trait Admin: Send + Sync {
    /// All topics with their partition counts and the configuration values asked for (retention.ms, cleanup.policy, max.message.bytes).
    fn topics(&self) -> BoxFuture<'_, Result<Vec<ClusterTopic>, BrokerError>>;

    /// Creates a topic.
    fn create(&self, topic: NewTopic) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Sets configuration values of a topic.
    fn configure(
        &self,
        topic: &str,
        values: Vec<(String, String)>,
    ) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Grows a topic to this many partitions.
    fn grow(&self, topic: &str, partitions: i32) -> BoxFuture<'_, Result<(), BrokerError>>;

    /// Is any broker there? Answers within `at_most`.
    fn ping(&self, at_most: Duration) -> BoxFuture<'_, Result<(), BrokerError>>;
}

/// A topic as the cluster has it.
#[derive(Clone, Debug)]
pub struct ClusterTopic {
    /// Its name.
    pub name: String,
    /// Its partition count.
    pub partitions: i32,
    /// Effective configuration values.
    pub values: Vec<(String, String)>,
}

/// A topic to create.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Its partition count.
    pub partitions: i32,
    /// Replicas; -1 for the broker's default.
    pub replicas: i32,
    /// Configuration values.
    pub values: Vec<(String, String)>,
}

/// A broker that can be reached: makes consumers, producers and admin clients.
pub trait Broker: Send + Sync {
    /// Joins a group.
    fn consumer(&self, settings: ConsumerSettings) -> Result<Box<dyn Consumer>, BrokerError>;

    /// A producer whose sends fail after `message_timeout`.
    fn producer(
        &self,
        client_id: &str,
        message_timeout: Duration,
    ) -> Result<Arc<dyn Producer>, BrokerError>;

    /// An admin client.
    fn admin(&self) -> Result<Arc<dyn Admin>, BrokerError>;
}

/// Why the broker did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// It may work later.
    #[error("broker is unavailable: {0}")]
    Unavailable(String),
    /// It will never work as asked (too large, unknown topic by policy, invalid).
    #[error("broker rejects: {0}")]
    Rejected(String),
    /// The client's queue is full: slow down.
    #[error("the producer's queue is full")]
    QueueFull,
    /// The configuration is not usable.
    #[error("broker configuration: {0}")]
    Misconfigured(String),
    /// Credentials are refused.
    #[error("broker refuses the credentials: {0}")]
    Unauthorized(String),
}
