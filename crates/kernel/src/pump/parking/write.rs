//! Writes to a partition's parked rows are begun, and their answers taken.
//!
//! Invariant: a record is clear, and a hold holds, only once the store has said that it has it.

use super::{
    Hold, ParkFault, ParkNumber, ParkRecord, ParkWrite, ParkingConfig, StayIndex,
    outbox::{Changes, Out, Outbox, Settled},
    replay::Wanted,
    stays::{Place, Stays},
};
use crate::{
    ids::{Assignment, Epoch, Offset, Partition, Time},
    pump::{
        Action, Pump,
        assigned::{Assigned, Ownership},
        lane::Queued,
        timers::Timer,
    },
};

impl<R: Clone, X> Assigned<R, X> {
    /// A record is to be stored behind its key's rows.
    pub(super) fn enter(&mut self, stay: StayIndex, record: Queued<R>) {
        if let Some(found) = self.stays.get_mut(stay) {
            found.entering += 1;
            self.outbox.entering.push_back((stay, record));
        }
    }

    /// The committed position, if tombstones below it can go.
    fn passed(&self) -> Option<Offset> {
        let (passed, _) = self.accepted.as_ref()?;
        let first = self.outbox.tombstones.first()?;
        (first < passed).then_some(*passed)
    }
}

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Wakes and writes where something changed.
    pub(in crate::pump) fn advance_parking(&mut self, now: Time) {
        while let Some(partition) = self.parking_dirty.pop_first() {
            self.begin_replays(partition);
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
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Ownership::Owned(epoch) = assigned.ownership else {
            return;
        };
        if assigned.outbox.out.is_some() || assigned.outbox.retry_at.is_some() {
            return;
        }
        let (mut entering, mut changes) =
            (Vec::new(), std::mem::take(&mut assigned.outbox.changes));
        if assigned.drain.is_some() {
            // What is on its way in when a partition is given back is left to its next owner.
            changes.replays.clear();
        } else {
            entering = assigned.outbox.take_next(&parking, stored);
            if entering.is_empty() && !assigned.outbox.entering.is_empty() {
                self.parking_full.insert(partition);
            }
        }
        let passed = assigned.passed();
        if entering.is_empty() && changes.is_empty() && passed.is_none() {
            return;
        }
        self.parks = ParkNumber(self.parks.0 + 1);
        let out = Out {
            park: self.parks,
            entering,
            changes,
            passed,
        };
        let assignment = assigned.assignment;
        let write = out.write(partition, assignment, epoch, &assigned.stays);
        assigned.outbox.out = Some(out);
        self.actions.push(Action::Park(write));
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
            Ok(()) => self.written(partition, out, now),
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

    /// The store has it: records are clear, settled rows are tombstones, dead records are rows again, keys are held.
    fn written(&mut self, partition: Partition, out: Out<R>, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Changes {
            settled,
            holds,
            released,
            replays,
            ..
        } = out.changes;
        if let Some(passed) = out.passed {
            assigned.outbox.tombstones = assigned.outbox.tombstones.split_off(&passed);
        }
        let mut changed = Vec::new();
        let buried: Vec<Offset> = settled.iter().map(|row| row.offset).collect();
        for Settled { stay, offset, .. } in settled {
            assigned.outbox.tombstones.insert(offset);
            if let Some(found) = assigned.stays.get_mut(stay) {
                found.burying = found.burying.saturating_sub(1);
                changed.push(stay);
            }
        }
        for (stay, Wanted { replay, bytes }) in replays {
            assigned.stays.add_row(stay, replay.offset, bytes);
            if let Some(found) = assigned.stays.get_mut(stay) {
                found.returning = found.returning.saturating_sub(1);
            }
            assigned.outbox.tombstones.remove(&replay.offset);
            changed.push(stay);
            if assigned.ledger.store_takes(replay.offset) {
                self.commits.mark(partition, assigned);
            }
        }
        let mut bytes = Vec::with_capacity(out.entering.len());
        for (stay, record) in out.entering {
            assigned.stays.add_row(stay, record.offset, record.bytes);
            changed.push(stay);
            assigned.suspects.enter_store(record.offset);
            if assigned.ledger.clear(record.offset) {
                self.commits.mark(partition, assigned);
            }
            bytes.push(record.bytes);
        }
        for bytes in bytes {
            self.discount(partition, bytes);
        }
        for key in released {
            self.end_release_write(partition, &key, now);
        }
        for Hold { key, offset } in holds {
            self.end_hold_write(partition, key, offset);
        }
        for stay in changed {
            self.go_on_if_loadable(partition, stay);
        }
        self.forget_buried_suspects(partition, buried.into_iter());
    }

    /// A stay that had nothing to load may have now, or has ended.
    fn go_on_if_loadable(&mut self, partition: Partition, stay: StayIndex) {
        let assigned = self.partitions.get(&partition);
        let Some(found) = assigned.and_then(|assigned| assigned.stays.get(stay)) else {
            return;
        };
        let goes_on = match found.place {
            Place::Idle => true,
            Place::Held => found.is_loadable(),
            Place::Rests | Place::Loads(..) | Place::Runs => false,
        };
        if goes_on {
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
    /// The next records to store, as far as one write and the store's room reach; `stored` bytes are there.
    fn take_next(&mut self, parking: &ParkingConfig, stored: usize) -> Vec<(StayIndex, Queued<R>)> {
        let mut room = parking.bytes_max.saturating_sub(stored);
        let mut next: Vec<(StayIndex, Queued<R>)> = Vec::new();
        let mut bytes = 0_usize;
        while next.len() < parking.write_records_max.max(1)
            && let Some((_, record)) = self.entering.front()
            // A record above the limit goes alone: it must go somewhere.
            && (record.bytes <= room || (stored == 0 && next.is_empty()))
            && (bytes == 0 || bytes.saturating_add(record.bytes) <= parking.write_bytes_max)
            && let Some(entering) = self.entering.pop_front()
        {
            room = room.saturating_sub(entering.1.bytes);
            bytes = bytes.saturating_add(entering.1.bytes);
            next.push(entering);
        }
        next
    }
}

impl<R: Clone> Out<R> {
    fn write(
        &self,
        partition: Partition,
        assignment: Assignment,
        epoch: Epoch,
        stays: &Stays,
    ) -> ParkWrite<R> {
        let records = self.entering.iter().filter_map(|(stay, record)| {
            Some(ParkRecord {
                key: stays.get(*stay)?.key.clone(),
                offset: record.offset,
                body: record.body.clone(),
            })
        });
        let Changes {
            looks,
            settled,
            holds,
            released,
            replays,
            ended,
        } = &self.changes;
        let revived = settled.iter().filter(|row| row.is_revived);
        ParkWrite {
            park: self.park,
            partition,
            assignment,
            epoch,
            records: records.collect(),
            looks: looks.values().cloned().collect(),
            settled: settled.iter().map(|row| row.offset).collect(),
            revived: revived.map(|row| row.offset).collect(),
            holds: holds.clone(),
            released: released.clone(),
            replays: replays
                .iter()
                .map(|(_, wanted)| wanted.replay.clone())
                .collect(),
            ended: ended.clone(),
            passed: self.passed,
        }
    }
}
