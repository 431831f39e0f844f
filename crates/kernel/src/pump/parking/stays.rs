//! The stays of one partition: found by key, kept in slots so that timers can name them.

use std::collections::HashMap;

use super::Awaited;
use crate::ids::{LaneKey, LoadNumber, Offset, Time};

/// A stay's place within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::pump) struct StayIndex(usize);

/// Where the head of a stay is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::pump) enum Place {
    /// In the store, until something wakes it.
    Rests,
    /// Asked for, as far as this offset if it was held then.
    Loads(LoadNumber, Option<Offset>),
    /// In a lane.
    Runs,
    /// In the store behind its hold, until that ends or something is stored before it.
    Held,
    /// Nothing can be loaded yet: what is left is on its way into the store, or to be buried.
    Idle,
}

/// One key whose records wait in the store.
#[derive(Debug)]
pub(in crate::pump) struct Stay {
    pub(in crate::pump) key: LaneKey,
    /// Rows that are not settled.
    pub(in crate::pump) stored: usize,
    pub(in crate::pump) bytes: usize,
    /// Rows that were counted when they were last asked for.
    pub(in crate::pump) asked: usize,
    /// Records that are not in the store yet.
    pub(in crate::pump) entering: usize,
    /// Replayed records on their way into the store, ahead of rows that are there: until then nothing is loaded.
    pub(in crate::pump) returning: usize,
    /// Settled rows that are not tombstones yet.
    pub(in crate::pump) burying: usize,
    pub(in crate::pump) place: Place,
    /// Rows behind this offset wait for an operator.
    pub(in crate::pump) held: Option<Offset>,
    /// Rows at the hold or before it may be there.
    pub(in crate::pump) ahead: bool,
    /// The convoy that it left to run, until it is known whether it got through.
    pub(in crate::pump) convoy: Option<Awaited>,
    /// Its entry in the pump's timers.
    pub(in crate::pump) timer: Option<Time>,
}

/// The stays.
#[derive(Debug, Default)]
pub(in crate::pump) struct Stays {
    slots: Vec<Option<Stay>>,
    free: Vec<StayIndex>,
    /// Only looked up in, never iterated: its order is random.
    by_key: HashMap<LaneKey, StayIndex>,
    bytes: usize,
}

impl Stays {
    pub(in crate::pump) fn find(&self, key: &LaneKey) -> Option<StayIndex> {
        // Healthy keys come here for every record: with nothing parked this costs no hash.
        if self.by_key.is_empty() {
            return None;
        }
        self.by_key.get(key).copied()
    }

    /// Where a key is held, if it is.
    pub(in crate::pump) fn held(&self, key: &LaneKey) -> Option<Offset> {
        self.get(self.find(key)?)?.held
    }

    pub(in crate::pump) fn begin(&mut self, key: LaneKey, place: Place) -> StayIndex {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            StayIndex(self.slots.len() - 1)
        });
        self.by_key.insert(key.clone(), index);
        self.slots[index.0] = Some(Stay {
            key,
            stored: 0,
            bytes: 0,
            asked: 0,
            entering: 0,
            returning: 0,
            burying: 0,
            place,
            held: None,
            ahead: false,
            convoy: None,
            timer: None,
        });
        index
    }

    pub(in crate::pump) fn end(&mut self, index: StayIndex) -> Option<Stay> {
        let stay = self.slots.get_mut(index.0)?.take()?;
        self.by_key.remove(&stay.key);
        self.bytes = self.bytes.saturating_sub(stay.bytes);
        self.free.push(index);
        Some(stay)
    }

    pub(in crate::pump) fn get(&self, index: StayIndex) -> Option<&Stay> {
        self.slots.get(index.0)?.as_ref()
    }

    pub(in crate::pump) fn get_mut(&mut self, index: StayIndex) -> Option<&mut Stay> {
        self.slots.get_mut(index.0)?.as_mut()
    }

    /// A row was stored: one at its key's hold or before it may run.
    pub(in crate::pump) fn add_row(&mut self, index: StayIndex, offset: Offset, bytes: usize) {
        self.add(index, 1, bytes);
        if let Some(Some(stay)) = self.slots.get_mut(index.0) {
            stay.entering = stay.entering.saturating_sub(1);
            stay.ahead |= stay.held >= Some(offset);
        }
    }

    /// Rows that were found.
    pub(in crate::pump) fn add(&mut self, index: StayIndex, records: usize, bytes: usize) {
        if let Some(Some(stay)) = self.slots.get_mut(index.0) {
            stay.stored += records;
            stay.bytes += bytes;
            self.bytes += bytes;
        }
    }

    /// A row less.
    pub(in crate::pump) fn subtract(&mut self, index: StayIndex, bytes: usize) {
        if let Some(Some(stay)) = self.slots.get_mut(index.0) {
            let bytes = bytes.min(stay.bytes);
            stay.stored = stay.stored.saturating_sub(1);
            stay.bytes -= bytes;
            self.bytes -= bytes;
        }
    }

    pub(in crate::pump) fn keys(&self) -> usize {
        self.by_key.len()
    }

    pub(in crate::pump) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, in a repeatable order.
    pub(in crate::pump) fn iter(&self) -> impl Iterator<Item = (StayIndex, &Stay)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, stay)| Some((StayIndex(index), stay.as_ref()?)))
    }
}
