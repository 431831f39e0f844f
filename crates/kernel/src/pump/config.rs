//! The pump's limits, and their defaults.

use std::time::Duration;

use super::parking::ParkingConfig;

/// What keeps records apart from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// One lane per key.
    #[default]
    Key,
    /// One lane per partition.
    Partition,
    /// Every record is a lane of its own.
    None,
}

/// When a failed record runs again, and when it has had enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts before a record is dead; at least 1.
    pub attempts_max: u32,
    /// The shortest wait between attempts.
    pub base: Duration,
    /// The longest wait between attempts (a vendor's `Retry-After` may be longer).
    pub wait_max: Duration,
    /// Age past which a failed record is dead, not counting what it waited for a dependency.
    pub age_max: Duration,
}

/// The pump's limits. All of them are hard.
#[derive(Clone, Debug)]
pub struct PumpConfig {
    /// The consumer group, part of a map's identity.
    pub group: String,
    /// Names of the subscribed topics, by `TopicIndex`, part of a map's identity.
    pub topics: Vec<String>,
    /// What keeps records apart.
    pub order: Order,
    /// Lanes running at once, in the whole instance; at least 1.
    pub running_max: usize,
    /// Records per hand-over; at least 1.
    pub dispatch_records_max: usize,
    /// Records held per partition before its intake stops; it goes on at half.
    pub partition_records_max: usize,
    /// Bytes held per partition before its intake stops; it goes on at half.
    pub partition_bytes_max: usize,
    /// Time between commits.
    pub commit_every: Duration,
    /// How long a commit may be unanswered before it counts as failed.
    pub commit_timeout: Duration,
    /// How long a revoke may wait for running handlers.
    pub drain_budget: Duration,
    /// The same at shutdown.
    pub shutdown_budget: Duration,
    /// Deadline of one run.
    pub run_deadline: Duration,
    /// Wait before a failed write or a failed ownership is tried again.
    pub write_retry: Duration,
    /// Bytes of commit metadata that the broker takes.
    pub metadata_bytes_max: usize,
    /// How long a suspect waits, from when its partition is owned, before it runs alone: others get through between
    /// two deaths.
    pub suspect_wait: Duration,
    /// Deaths of the process while a record ran alone, after which the record is dead; at least 1.
    pub deaths_max: u32,
    /// Retries.
    pub retry: RetryPolicy,
    /// Parking; `None` if lanes wait in memory alone.
    pub parking: Option<ParkingConfig>,
    /// Whether later records of a key wait behind its dead one until an operator ends that; needs parking.
    pub hold_after_dead: bool,
}

impl PumpConfig {
    /// The defaults, for a group and its topics.
    pub fn new(group: impl Into<String>, topics: Vec<String>) -> Self {
        Self {
            group: group.into(),
            topics,
            order: Order::Key,
            running_max: 256,
            dispatch_records_max: 8,
            partition_records_max: 8_000,
            partition_bytes_max: 32 << 20,
            commit_every: Duration::from_secs(1),
            commit_timeout: Duration::from_secs(10),
            drain_budget: Duration::from_secs(5),
            shutdown_budget: Duration::from_secs(25),
            run_deadline: Duration::from_secs(60),
            write_retry: Duration::from_millis(500),
            metadata_bytes_max: 4_096,
            suspect_wait: Duration::from_secs(5),
            deaths_max: 3,
            retry: RetryPolicy {
                attempts_max: 5,
                base: Duration::from_millis(200),
                wait_max: Duration::from_secs(60),
                age_max: Duration::from_secs(3_600),
            },
            parking: None,
            hold_after_dead: false,
        }
    }
}
