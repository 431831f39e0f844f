//! What the pump holds, for probes and tests: read only.

use super::{Held, Pump, assigned::Ownership, lane::State};
use crate::{
    cause::Waiting,
    ids::{Assignment, LaneKey, Offset, Partition, Time},
};

/// Where a lane's head stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneState {
    /// It runs when its turn comes, unless its partition is held back.
    Ready,
    /// Its handler runs.
    Running {
        /// Since when.
        since: Time,
    },
    /// Its events are being published.
    Publishing,
    /// Its dead letter is being written.
    DeadLettering,
    /// The hold of its key is being written.
    Holding,
    /// It waits.
    Waiting {
        /// Why.
        cause: Waiting,
        /// Until when.
        until: Time,
    },
}

/// What waits of a partition in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parked {
    /// Keys.
    pub keys: usize,
    /// The size of their records.
    pub bytes: usize,
}

/// One lane.
#[derive(Clone, Debug)]
pub struct LaneView<'a> {
    /// Its partition.
    pub partition: Partition,
    /// The assignment that it belongs to.
    pub assignment: Assignment,
    /// Its key.
    pub key: &'a LaneKey,
    /// The offset of its head.
    pub head: Offset,
    /// Records in it, the head included.
    pub records: usize,
    /// Where the head stands.
    pub state: LaneState,
}

impl<R, X> Pump<R, X> {
    /// Every lane that holds a record, in a repeatable order.
    pub fn lanes(&self) -> impl Iterator<Item = LaneView<'_>> {
        self.partitions.iter().flat_map(|(&partition, assigned)| {
            assigned.lanes.iter().filter_map(move |(_, lane)| {
                Some(LaneView {
                    partition,
                    assignment: assigned.assignment,
                    key: &lane.key,
                    head: lane.queue.front()?.offset,
                    records: lane.queue.len(),
                    state: view(&lane.state),
                })
            })
        })
    }

    /// The partitions that are ours by the group, also those on their way out.
    pub fn assigned(&self) -> impl Iterator<Item = (Partition, Assignment)> {
        let partitions = self.partitions.iter();
        partitions.map(|(&partition, assigned)| (partition, assigned.assignment))
    }

    /// The lowest offset of a partition that is not clear.
    pub fn frontier(&self, partition: Partition) -> Option<Offset> {
        self.partitions.get(&partition)?.ledger.frontier()
    }

    /// What a partition holds unsettled, skipped records that could not settle yet included.
    pub fn held(&self, partition: Partition) -> Held {
        let assigned = self.partitions.get(&partition);
        assigned.map(|assigned| assigned.held).unwrap_or_default()
    }

    /// What waits of a partition in the store.
    pub fn in_store(&self, partition: Partition) -> Parked {
        let assigned = self.partitions.get(&partition);
        assigned.map_or_else(Parked::default, |assigned| Parked {
            keys: assigned.stays.keys(),
            bytes: assigned.stays.bytes(),
        })
    }

    /// Why no more records of a partition are taken in, if none are: what its budget is used up by.
    pub fn intake_held(&self, partition: Partition) -> Option<Waiting> {
        let assigned = self.partitions.get(&partition)?;
        if !assigned.intake_held {
            return None;
        }
        let Some(parking) = self.config.parking else {
            return Some(Waiting::Backlog);
        };
        if assigned.outbox.retry_at.is_some() {
            return Some(Waiting::Dependency("store".into()));
        }
        let stored = self.partitions.values().map(|of| of.stays.bytes());
        let is_full = assigned.stays.keys() >= parking.keys_max
            || stored.sum::<usize>() >= parking.bytes_max
            || self.parking_full.contains(&partition);
        let cause = if is_full {
            Waiting::ParkedFull
        } else {
            Waiting::Backlog
        };
        Some(cause)
    }

    /// Runs of a partition that have not answered, those of earlier assignments included.
    pub fn live_runs(&self, partition: Partition) -> usize {
        let current = self.partitions.get(&partition);
        let current = current.map_or(0, |assigned| assigned.running);
        let orphans = self.orphans.keys().filter(|at| at.partition == partition);
        current + orphans.count()
    }

    /// Why nothing of a partition is dispatched, if nothing may be.
    pub fn held_back(&self, partition: Partition) -> Option<Waiting> {
        let assigned = self.partitions.get(&partition)?;
        match &assigned.ownership {
            _ if assigned.drain.is_some() => Some(Waiting::Draining),
            Ownership::Refused { cause, .. } => Some(cause.clone()),
            Ownership::Owned(_) if !assigned.quiescing => {
                let kept = self.alone.keeps_others_waiting();
                kept.then_some(Waiting::Suspect)
            }
            Ownership::Owned(_) | Ownership::Asked | Ownership::Fenced => {
                Some(Waiting::Unassigned(assigned.assignment))
            }
        }
    }
}

fn view<X>(state: &State<X>) -> LaneState {
    match state {
        State::Ready => LaneState::Ready,
        State::Running { since, .. } => LaneState::Running { since: *since },
        State::Publishing(_) => LaneState::Publishing,
        State::DeadLettering(_) => LaneState::DeadLettering,
        State::Holding(_) => LaneState::Holding,
        State::Waiting { cause, until, .. } => LaneState::Waiting {
            cause: cause.clone(),
            until: *until,
        },
    }
}
