//! Records that were running when a process died, and how often one died while they ran alone.
//!
//! Invariant: a death counts once, however often it is told; a record that waits in the store is not forgotten.

use std::{collections::BTreeMap, sync::Arc};

use argosy_kernel::{Offset, Suspect};
use uuid::Uuid;

use crate::{StoreError, limits};

/// What an instance left behind that died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftRunning {
    /// Its worker.
    pub worker: Arc<str>,
    /// The instance itself.
    pub instance: Uuid,
    /// What it was running.
    pub records: Vec<LeftRecord>,
}

/// A record that was running when its process died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftRecord {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition's number.
    pub partition: i32,
    /// Its position.
    pub offset: i64,
    /// Nothing else ran: the death is its own.
    pub alone: bool,
}

/// A record that a new owner has to suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundSuspect {
    /// Its position.
    pub offset: i64,
    /// How many instances died while it ran alone.
    pub deaths: u32,
}

impl LeftRunning {
    /// Refuses what the store would not take.
    ///
    /// # Errors
    ///
    /// If a name is too long, or there are too many records.
    pub fn check(&self) -> Result<(), StoreError> {
        limits::within("worker's name", self.worker.len(), limits::NAME_BYTES_MAX)?;
        for record in &self.records {
            limits::within("topic's name", record.topic.len(), limits::NAME_BYTES_MAX)?;
        }
        let record_bytes = size_of::<LeftRecord>();
        limits::within(
            "list of running records",
            self.records.len() * record_bytes,
            limits::LEFT_RECORDS_MAX * record_bytes,
        )
    }

    /// Each record once; alone if it was so in any of its places.
    pub fn once(&self) -> Vec<LeftRecord> {
        let mut once: BTreeMap<(&str, i32, i64), LeftRecord> = BTreeMap::new();
        for record in &self.records {
            let place = (&*record.topic, record.partition, record.offset);
            let kept = once.entry(place).or_insert_with(|| record.clone());
            kept.alone |= record.alone;
        }
        once.into_values().collect()
    }
}

impl From<FoundSuspect> for Suspect {
    fn from(found: FoundSuspect) -> Self {
        Self {
            offset: Offset(found.offset),
            deaths: found.deaths,
        }
    }
}
