//! Holds: after a record is dead, later ones of its key wait in the store until an operator ends that.
//!
//! Invariant: a hold is durable before its dead record settles. It is a place in its key's order: rows at or before it
//! run, rows behind it wait. So the dead record itself may run again ahead of them, and does so if it is delivered again.

use super::{StayIndex, stays::Place};
use crate::{
    cause::{Death, Waiting},
    ids::{LaneKey, Offset, Partition, Time},
    pump::{
        Action, At, Pump, Settle,
        lane::{Queued, State},
        lanes::LaneIndex,
        parking::Awaited,
    },
};

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Whether a dead record's key is to be held, and is not held already from there on.
    pub(in crate::pump) fn is_to_hold(&self, partition: Partition, index: LaneIndex) -> bool {
        if !self.config.hold_after_dead || self.config.parking.is_none() {
            return false;
        }
        let Some(assigned) = self.partitions.get(&partition) else {
            return false;
        };
        let lane = assigned.lanes.lane(index);
        let Some(head) = lane.queue.front() else {
            return false;
        };
        // Nothing comes after a record without a key.
        !matches!(lane.key, LaneKey::Keyless(_))
            && (assigned.stays.held(&lane.key) < Some(head.offset)
                || assigned.outbox.releases(&lane.key))
    }

    /// A dead letter is acknowledged: its key's hold is written before the record settles.
    pub(in crate::pump) fn begin_hold(&mut self, at: At, index: LaneIndex, cause: Death) {
        let Some(assigned) = self.partitions.get_mut(&at.partition) else {
            return;
        };
        let lane = assigned.lanes.lane_mut(index);
        lane.state = State::Holding(cause);
        assigned.outbox.hold(lane.key.clone(), at.offset);
        assigned.busy.insert(at.offset, index);
        assigned.writing += 1;
        self.parking_dirty.insert(at.partition);
    }

    /// A hold is durable: its dead record settles, and what came after it goes to the store.
    pub(super) fn end_hold_write(&mut self, partition: Partition, key: LaneKey, offset: Offset) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let at = At {
            partition,
            assignment: assigned.assignment,
            offset,
        };
        let stay = match assigned.stays.find(&key) {
            Some(stay) => stay,
            None => assigned.stays.begin(key, Place::Held),
        };
        if let Some(found) = assigned.stays.get_mut(stay) {
            found.held = Some(offset);
        }
        let wanted = |state: &State<X>| matches!(state, State::Holding(_));
        if let Some((index, State::Holding(cause))) = self.end_write(at, wanted) {
            self.settle_head(partition, index, Settle::Dead(cause));
            self.follow(partition, index, stay);
            self.load(partition, stay);
        }
    }

    /// Moves what a lane that is not busy holds to the store: what is there already is let go.
    pub(super) fn follow(&mut self, partition: Partition, index: LaneIndex, stay: StayIndex) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        assigned.set_timer(&mut self.timers, partition, index, None);
        let (_, _, queue) = assigned.lanes.take(index);
        for record in queue {
            if record.is_stored {
                self.discount(partition, record.bytes);
            } else {
                self.enter(partition, stay, record);
            }
        }
    }

    /// A record goes to the store, behind what its key has there; its timeline is told if the key is held.
    pub(super) fn enter(&mut self, partition: Partition, stay: StayIndex, record: Queued<R>) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let held = assigned.stays.get(stay).and_then(|stay| stay.held);
        if let Some(held) = held.filter(|&held| held < record.offset) {
            self.actions.push(Action::Waits {
                at: At {
                    partition,
                    assignment: assigned.assignment,
                    offset: record.offset,
                },
                body: record.body.clone(),
                cause: Waiting::Hold(held),
                wait: std::time::Duration::ZERO,
                parked: true,
            });
        }
        assigned.enter(stay, record);
        self.parking_dirty.insert(partition);
    }

    /// A hold has ended, durably: the key's rows run, among others whose time has come.
    pub(super) fn end_release_write(&mut self, partition: Partition, key: &LaneKey, now: Time) {
        let lanes_max = self.config.parking.unwrap_or_default().lanes_max;
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if let Some(index) = assigned.stays.find(key)
            && let Some(stay) = assigned.stays.get_mut(index)
        {
            stay.held = None;
            if stay.place == Place::Held {
                stay.place = Place::Rests;
                assigned.convoys.join(Awaited::Turn, index, now, lanes_max);
            }
        }
    }
}
