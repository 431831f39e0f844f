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
    /// Lanes whose later records wait behind a dead one. Of two holds of a lane the newer one counts: it was made when
    /// the older one had ended.
    pub holds: Vec<HeldLane>,
    /// Lanes whose hold ends; one that is named in `holds` as well ends held.
    pub released: Vec<LaneKey>,
    /// Dead records that wait as rows again; what this change settles is settled before.
    pub replays: Vec<ReplayedRow>,
    /// Plan steps of this partition that need no row: releases, and replays that the owner refused.
    pub ended: Vec<i64>,
    /// Of the rows in `settled`, those that were replayed and are done or skipped.
    pub revived: Vec<i64>,
}

/// A lane that is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLane {
    /// Which.
    pub lane: LaneKey,
    /// The dead record: rows of the lane behind this offset wait.
    pub offset: i64,
}

/// A dead record that its owner takes back. Its row gets the record from the letter and has spent no attempt. A row
/// that was waiting there keeps what it has, and counts as replayed from then on. Nothing happens if the step is not an
/// open replay of this record; if the record is not there whole, the step is carried out and no row made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayedRow {
    /// The step that asked for it.
    pub step: i64,
    /// The record's lane.
    pub lane: LaneKey,
    /// The record's position.
    pub offset: i64,
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
    /// Lanes with rows that are not settled, by the offset of their head; then held ones without rows, by their hold.
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
    /// Offset of its first row that is not settled; `None` if it is held without any.
    pub head: Option<i64>,
    /// The dead record behind which its rows wait, if it is held.
    pub held: Option<i64>,
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
    /// Only rows up to this offset.
    pub through: Option<i64>,
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
    /// It was dead, and is here by a replay.
    pub replayed: bool,
}

impl ParkChange {
    /// Nothing yet, under this ownership.
    pub fn new(owner: OwnerKey, epoch: Epoch) -> Self {
        Self {
            owner,
            epoch,
            rows: Vec::new(),
            looks: Vec::new(),
            settled: Vec::new(),
            passed: None,
            holds: Vec::new(),
            released: Vec::new(),
            replays: Vec::new(),
            ended: Vec::new(),
            revived: Vec::new(),
        }
    }

    /// Whether it says more than where rows stand: holds, replays, and what came of them.
    pub fn touches_letters(&self) -> bool {
        !(self.holds.is_empty()
            && self.released.is_empty()
            && self.replays.is_empty()
            && self.ended.is_empty()
            && self.revived.is_empty())
    }

    /// Refuses what the store would not take.
    pub fn check(&self) -> Result<(), StoreError> {
        for row in &self.rows {
            limits::within("parked record", row.bytes(), limits::PARKED_BYTES_MAX)?;
        }
        for held in &self.holds {
            if let LaneKey::Key(key) = &held.lane {
                limits::within("held key", key.len(), limits::PARKED_BYTES_MAX)?;
            }
        }
        Ok(())
    }
}
