//! What is to be written to a partition's parked rows, and the write that is out.
//!
//! Invariant: one write at a time, so rows of a key are added in offset order; what fails goes first the next time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Look, ParkFault, ParkNumber, ParkRecord, ParkWrite, StayIndex, stays::Place};
use crate::{
    ids::{Assignment, Offset, Partition, Time},
    pump::{
        Action, Pump,
        assigned::{Assigned, Ownership},
        lane::Queued,
        timers::Timer,
    },
};

/// What a partition has to write.
#[derive(Debug)]
pub(in crate::pump) struct Outbox<R> {
    entering: VecDeque<(StayIndex, Queued<R>)>,
    looks: BTreeMap<StayIndex, Look>,
    settled: Vec<(StayIndex, Offset)>,
    /// Rows that are kept only until the group's position has passed them.
    pub(in crate::pump) tombstones: BTreeSet<Offset>,
    out: Option<Out<R>>,
    /// Its entry in the pump's timers, after a write that failed.
    pub(in crate::pump) retry_at: Option<Time>,
}

#[derive(Debug)]
struct Out<R> {
    park: ParkNumber,
    entering: Vec<(StayIndex, Queued<R>)>,
    looks: BTreeMap<StayIndex, Look>,
    settled: Vec<(StayIndex, Offset)>,
    passed: Option<Offset>,
}

impl<R> Default for Outbox<R> {
    fn default() -> Self {
        Self {
            entering: VecDeque::new(),
            looks: BTreeMap::new(),
            settled: Vec::new(),
            tombstones: BTreeSet::new(),
            out: None,
            retry_at: None,
        }
    }
}

impl<R> Outbox<R> {
    /// What is new about the head of a parked lane.
    pub(super) fn look(&mut self, stay: StayIndex, look: Look) {
        self.looks.insert(stay, look);
    }

    /// A row's settlement is told: it becomes a tombstone.
    pub(super) fn bury(&mut self, stay: StayIndex, offset: Offset) {
        self.settled.push((stay, offset));
    }

    /// Settlements that the store has not heard of.
    pub(in crate::pump) fn owes_settlements(&self) -> bool {
        !self.settled.is_empty() || self.out.as_ref().is_some_and(|out| !out.settled.is_empty())
    }

    /// Takes out the records on their way in, in the order in which they came.
    pub(super) fn take_entering(&mut self) -> Vec<(StayIndex, Queued<R>)> {
        let out = self.out.take().map(|out| out.entering).unwrap_or_default();
        self.looks.clear();
        self.settled.clear();
        out.into_iter().chain(self.entering.drain(..)).collect()
    }
}

impl<R: Clone, X> Assigned<R, X> {
    /// A record is to be stored behind its key's rows.
    pub(super) fn enter(&mut self, stay: StayIndex, record: Queued<R>) {
        if let Some(found) = self.stays.get_mut(stay) {
            found.entering += 1;
            self.outbox.entering.push_back((stay, record));
        }
    }
}

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Wakes and writes where something changed.
    pub(in crate::pump) fn advance_parking(&mut self, now: Time) {
        while let Some(partition) = self.parking_dirty.pop_first() {
            self.wake_stays(partition, now);
            self.write_parked(partition);
        }
    }

    /// Begins the next write of a partition, if none is out and there is something to write.
    fn write_parked(&mut self, partition: Partition) {
        let Some(parking) = self.config.parking else {
            return;
        };
        let stored = self.parked_bytes();
        let mut room = parking.bytes_max.saturating_sub(stored);
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Ownership::Owned(epoch) = assigned.ownership else {
            return;
        };
        let Assigned {
            outbox,
            stays,
            accepted,
            drain,
            ..
        } = assigned;
        if outbox.out.is_some() || outbox.retry_at.is_some() {
            return;
        }
        let mut entering = Vec::new();
        let mut bytes = 0_usize;
        // What is on its way in when a partition is given back is left to its next owner.
        while drain.is_none()
            && entering.len() < parking.write_records_max.max(1)
            && let Some((_, record)) = outbox.entering.front()
            // A record above the limit goes alone: it must go somewhere.
            && (record.bytes <= room || (stored == 0 && entering.is_empty()))
            && (bytes == 0 || bytes.saturating_add(record.bytes) <= parking.write_bytes_max)
            && let Some(next) = outbox.entering.pop_front()
        {
            room = room.saturating_sub(next.1.bytes);
            bytes = bytes.saturating_add(next.1.bytes);
            entering.push(next);
        }
        if entering.is_empty() && drain.is_none() && !outbox.entering.is_empty() {
            self.parking_full.insert(partition);
        }
        let passed = accepted
            .as_ref()
            .map(|(offset, _)| *offset)
            .filter(|passed| {
                outbox
                    .tombstones
                    .first()
                    .is_some_and(|first| first < passed)
            });
        let looks = std::mem::take(&mut outbox.looks);
        let settled = std::mem::take(&mut outbox.settled);
        if entering.is_empty() && looks.is_empty() && settled.is_empty() && passed.is_none() {
            return;
        }
        self.parks = ParkNumber(self.parks.0 + 1);
        let key_of = |stay: &StayIndex| stays.get(*stay).map(|stay| stay.key.clone());
        let records = entering.iter().filter_map(|(stay, record)| {
            Some(ParkRecord {
                key: key_of(stay)?,
                offset: record.offset,
                body: record.body.clone(),
            })
        });
        self.actions.push(Action::Park(ParkWrite {
            park: self.parks,
            partition,
            assignment: assigned.assignment,
            epoch,
            records: records.collect(),
            looks: looks.values().cloned().collect(),
            settled: settled.iter().map(|&(_, offset)| offset).collect(),
            passed,
        }));
        outbox.out = Some(Out {
            park: self.parks,
            entering,
            looks,
            settled,
            passed,
        });
    }

    /// Takes the answer to a write.
    pub(in crate::pump) fn parked(
        &mut self,
        partition: Partition,
        assignment: Assignment,
        park: ParkNumber,
        result: Result<(), ParkFault>,
        now: Time,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if assigned.assignment != assignment {
            return;
        }
        let Some(out) = assigned.outbox.out.take_if(|out| out.park == park) else {
            return;
        };
        self.parking_dirty.insert(partition);
        match result {
            Ok(()) => self.written(partition, out),
            Err(fault) => {
                assigned.outbox.put_back(out);
                let due = now.plus(self.config.write_retry);
                assigned.outbox.retry_at = Some(due);
                self.timers.add(due, partition, Timer::Park);
                if fault == ParkFault::Fenced {
                    self.fence(partition, now);
                }
            }
        }
    }

    /// The store has it: records are clear, settled rows are tombstones.
    fn written(&mut self, partition: Partition, out: Out<R>) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if let Some(passed) = out.passed {
            assigned.outbox.tombstones = assigned.outbox.tombstones.split_off(&passed);
        }
        let mut idle = Vec::new();
        for &(stay, offset) in &out.settled {
            assigned.outbox.tombstones.insert(offset);
            if let Some(found) = assigned.stays.get_mut(stay) {
                found.burying = found.burying.saturating_sub(1);
                idle.push(stay);
            }
        }
        let mut bytes = Vec::with_capacity(out.entering.len());
        for (stay, record) in out.entering {
            if let Some(found) = assigned.stays.get_mut(stay) {
                found.entering = found.entering.saturating_sub(1);
                idle.push(stay);
            }
            assigned.stays.add(stay, 1, record.bytes);
            assigned.suspects.enter_store(record.offset);
            if assigned.ledger.clear(record.offset) {
                self.commits.mark(partition, assigned);
            }
            bytes.push(record.bytes);
        }
        for bytes in bytes {
            self.discount(partition, bytes);
        }
        for stay in idle {
            self.go_on_if_idle(partition, stay);
        }
        self.forget_buried_suspects(partition, out.settled.iter().map(|&(_, offset)| offset));
    }

    /// A stay that had nothing to load may have now, or has ended.
    fn go_on_if_idle(&mut self, partition: Partition, stay: StayIndex) {
        let assigned = self.partitions.get(&partition);
        let place = assigned.and_then(|assigned| Some(&assigned.stays.get(stay)?.place));
        if place == Some(&Place::Idle) {
            self.load(partition, stay);
        }
    }

    /// There is room in the store again, for whoever waits for it.
    pub(in crate::pump) fn make_room(&mut self) {
        self.parking_dirty.append(&mut self.parking_full);
    }

    /// A write that failed may be tried again.
    pub(in crate::pump) fn park_again(&mut self, partition: Partition) {
        if let Some(assigned) = self.partitions.get_mut(&partition) {
            assigned.outbox.retry_at = None;
            self.parking_dirty.insert(partition);
        }
    }
}

impl<R> Outbox<R> {
    fn put_back(&mut self, out: Out<R>) {
        for record in out.entering.into_iter().rev() {
            self.entering.push_front(record);
        }
        for (stay, look) in out.looks {
            self.looks.entry(stay).or_insert(look);
        }
        self.settled.splice(0..0, out.settled);
    }
}
