//! `[worker]`: limits that every worker process keeps.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use super::{
    membership::{self, Membership},
    section::{Section, write_millis},
};

/// Where a process keeps what it is running, below its working directory.
const STATE_DIR_DEFAULT: &str = "argosy-state";

/// What systems take as a path.
const PATH_BYTES_MAX: usize = 4_000;

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
    /// A lane that waits longer than this moves to the store.
    #[serde(rename = "park_after_ms", serialize_with = "write_millis")]
    pub park_after: Duration,
    /// Keys that wait in the store at once, per partition; past it the partition's intake stops.
    pub parked_keys_max: usize,
    /// Bytes that wait in the store at once, per instance; past it intake stops.
    pub parked_bytes_max: usize,
    /// Whether later records of a key wait behind its dead one until an operator releases or replays it.
    pub hold_after_dead: bool,
    /// The folder of what is running, so that the next start knows what killed this one. It has to outlive the process.
    pub state_dir: PathBuf,
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
        park_after: section.millis("park_after_ms", 100..=600_000, Duration::from_secs(30)),
        parked_keys_max: section.size("parked_keys_max", 1..=10_000_000, 100_000),
        parked_bytes_max: section.size("parked_bytes_max", 1 << 20..=1 << 40, 1 << 30),
        hold_after_dead: section.flag("hold_after_dead").unwrap_or(false),
        state_dir: section
            .parsed("state_dir", folder)
            .unwrap_or_else(|| PathBuf::from(STATE_DIR_DEFAULT)),
    };
    section.finish();
    worker
}

/// A folder need not be there yet; a file in its place is a mistake.
fn folder(text: &str) -> Result<PathBuf, String> {
    if text.contains('\0') || text.len() > PATH_BYTES_MAX {
        return Err(format!("must be a path of at most {PATH_BYTES_MAX} bytes"));
    }
    if Path::new(text).is_file() {
        return Err("is a file: name a folder that the process may write to".to_owned());
    }
    Ok(PathBuf::from(text))
}
