//! What comes due by itself, ordered by time: waiting lanes, run deadlines, refused ownerships, parked lanes.
//!
//! Invariant: an entry exists exactly as long as what it wakes; nothing here is stale.

use std::collections::BTreeSet;

use super::{lanes::LaneIndex, parking::StayIndex};
use crate::ids::{Partition, Time};

/// What comes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The partition's owner row is asked for again.
    Ownership,
    /// A lane's wait ends, or its run overruns its deadline.
    Lane(LaneIndex),
    /// A parked lane's own time has come.
    Stay(StayIndex),
    /// One of those that wait for a dependency may look.
    Convoys,
    /// A write to the parked rows is tried again.
    Park,
}

/// The timers.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Time, Partition, Timer)>);

impl Timers {
    pub(super) fn add(&mut self, due: Time, partition: Partition, timer: Timer) {
        self.0.insert((due, partition, timer));
    }

    pub(super) fn remove(&mut self, due: Time, partition: Partition, timer: Timer) {
        self.0.remove(&(due, partition, timer));
    }

    /// Takes out the first one that is due.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<(Partition, Timer)> {
        let &(due, partition, timer) = self.0.first()?;
        if due > now {
            return None;
        }
        self.0.pop_first();
        Some((partition, timer))
    }

    /// When the first one is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.first().map(|&(due, ..)| due)
    }
}
