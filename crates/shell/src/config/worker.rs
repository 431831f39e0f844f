//! `[worker]`: limits that every worker process keeps.

use std::time::Duration;

use serde::Serialize;

use super::{
    membership::{self, Membership},
    section::{Section, write_millis},
};

/// `[worker]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Worker {
    /// How it joins its consumer group.
    #[serde(flatten)]
    pub membership: Membership,
    /// Lanes running at once in one instance.
    pub running_max: usize,
    /// Time between commits.
    #[serde(rename = "commit_every_ms", serialize_with = "write_millis")]
    pub commit_every: Duration,
    /// One run takes no longer.
    #[serde(rename = "run_deadline_ms", serialize_with = "write_millis")]
    pub run_deadline: Duration,
    /// How long partitions that must be given back may wait for running handlers.
    #[serde(rename = "drain_budget_ms", serialize_with = "write_millis")]
    pub drain_budget: Duration,
    /// Attempts before a record is dead.
    pub attempts_max: u32,
    /// Records held per partition before its intake stops.
    pub partition_records_max: usize,
    /// Bytes held per partition before its intake stops.
    pub partition_bytes_max: usize,
}

pub(crate) fn read(mut section: Section<'_>) -> Worker {
    let worker = Worker {
        membership: membership::read(&mut section),
        running_max: section.size("running_max", 1..=10_000, 256),
        commit_every: section.millis("commit_every_ms", 50..=60_000, Duration::from_secs(1)),
        run_deadline: section.millis("run_deadline_ms", 1_000..=600_000, Duration::from_secs(60)),
        drain_budget: section.millis("drain_budget_ms", 100..=25_000, Duration::from_secs(5)),
        attempts_max: section
            .number("attempts_max", 1..=100)
            .and_then(|attempts| u32::try_from(attempts).ok())
            .unwrap_or(5),
        partition_records_max: section.size("partition_records_max", 16..=1_000_000, 8_000),
        partition_bytes_max: section.size("partition_bytes_max", 1 << 20..=1 << 30, 32 << 20),
    };
    section.finish();
    worker
}
