//! Parked records: what a lane leaves in the store while it waits there.
//!
//! Invariant: every change is fenced by the epoch of its partition's owner; a row that settled stays as a tombstone,
//! without its record, until the group's committed offset has passed it.

mod words;

use std::{fmt, sync::Arc, time::Duration};

use argosy_kernel::{Epoch, LaneKey};
use bytes::Bytes;

use crate::{FoundSuspect, OwnerKey, StoreError, limits};

/// One transaction on the parked rows of one partition. All of it happens, or nothing.
#[derive(Clone, Debug)]
pub struct ParkChange {
    /// Which ownership changes them.
    pub owner: OwnerKey,
    /// Its number.
    pub epoch: Epoch,
    /// Rows to add; of one that exists, the record stays as it is.
    pub rows: Vec<ParkedRow>,
    /// What is new about rows, added here or before; of one that does not exist, nothing.
    pub looks: Vec<ParkedLook>,
    /// Rows that settled.
    pub settled: Vec<i64>,
    /// The group has committed this offset: tombstones below it go.
    pub passed: Option<i64>,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkAnswer {
    /// It is durable.
    Done,
    /// The owner's row has another epoch; nothing was changed.
    Fenced,
}

/// A record in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct ParkedRow {
    /// Its lane.
    pub lane: LaneKey,
    /// Its position.
    pub offset: i64,
    /// Broker timestamp, milliseconds since 1970; `None` if unknown.
    pub timestamp_ms: Option<i64>,
    /// The record's key.
    pub key: Option<Bytes>,
    /// The record's value.
    pub value: Option<Bytes>,
    /// The record's headers, in order.
    pub headers: Vec<(String, Bytes)>,
}

impl ParkedRow {
    /// Bytes of key, value and headers together.
    pub fn bytes(&self) -> usize {
        let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        len(&self.key)
            + len(&self.value)
            + headers
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
    }
}

impl fmt::Debug for ParkedRow {
    /// Records hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}@{} ({} bytes)",
            self.lane,
            self.offset,
            self.bytes()
        )
    }
}

/// What a row waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedLook {
    /// Which row.
    pub offset: i64,
    /// The cause's name, such as `dependency`.
    pub cause: Arc<str>,
    /// Which dependency, if it is one.
    pub dependency: Option<Arc<str>>,
    /// How long until it is worth a look.
    pub due: Duration,
    /// Attempts that it has spent.
    pub attempts: u32,
    /// Its age, without what it waited for others.
    pub age: Duration,
}

/// What a new owner finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundParked {
    /// Lanes with rows that are not settled, by the offset of their head.
    pub lanes: Vec<FoundLane>,
    /// Offsets of all rows, tombstones included, ascending.
    pub offsets: Vec<i64>,
    /// Records that were running when a process died, by offset.
    pub suspects: Vec<FoundSuspect>,
}

/// A parked lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLane {
    /// Its key.
    pub lane: LaneKey,
    /// Rows that are not settled.
    pub rows: usize,
    /// Bytes of their records.
    pub bytes: usize,
    /// What its head waits for; `None` if that was never said.
    pub look: Option<ParkedLook>,
}

/// Asks for the oldest rows of a lane.
#[derive(Clone, Debug)]
pub struct ParkLoad {
    /// Which partition.
    pub owner: OwnerKey,
    /// Which lane.
    pub lane: LaneKey,
    /// At most so many rows; at least one, at most [`limits::LOAD_ROWS_MAX`].
    pub rows_max: usize,
}

/// A row with what it has been through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedRow {
    /// The record.
    pub row: ParkedRow,
    /// Attempts that it has spent.
    pub attempts: u32,
    /// Its age when it was parked, without what it waited for others.
    pub age: Duration,
}

impl ParkChange {
    /// Refuses what the store would not take.
    pub fn check(&self) -> Result<(), StoreError> {
        for row in &self.rows {
            limits::within("parked record", row.bytes(), limits::PARKED_BYTES_MAX)?;
        }
        Ok(())
    }
}
