//! Lanes that will not run soon go to the store, and later records of their keys after them.
//!
//! Invariant: a lane goes whole. Its records stay pending, and count against the partition's budget, until the store
//! has them.

use std::{sync::Arc, time::Duration};

use super::{Awaited, Look, ParkingConfig, Stay, StayIndex, stays::Place};
use crate::{
    cause::Waiting,
    ids::{LaneKey, Partition, Time},
    pump::{
        Action, At, Pump,
        lane::{Next, Queued, State},
        lanes::LaneIndex,
        timers::Timer,
    },
};

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Whether a lane that is about to wait so long goes to the store instead.
    pub(in crate::pump) fn will_park(
        &self,
        partition: Partition,
        index: LaneIndex,
        wait: Duration,
        now: Time,
    ) -> bool {
        let (Some(assigned), Some(parking)) =
            (self.partitions.get(&partition), self.config.parking)
        else {
            return false;
        };
        let lane = assigned.lanes.lane(index);
        let Some(head) = lane.queue.front() else {
            return false;
        };
        if head.is_stored {
            // Its rows are there already: letting go of it costs nothing.
            return assigned.may_store();
        }
        // What an earlier owner had already passed over waited there: its frontier is old, and so is this record.
        let waited = if assigned.ledger.was_delivered_before(head.offset) {
            parking.after
        } else {
            lane.head
                .first_run
                .map_or(Duration::ZERO, |first| now.since(first))
        };
        waited.saturating_add(wait) >= parking.after && self.may_park(partition)
    }

    /// Whether one more key may be parked.
    fn may_park(&self, partition: Partition) -> bool {
        let (Some(assigned), Some(parking)) =
            (self.partitions.get(&partition), self.config.parking)
        else {
            return false;
        };
        assigned.may_store()
            && assigned.stays.keys() < parking.keys_max
            && self.parked_bytes() < parking.bytes_max
    }

    /// Bytes in the store, over all partitions of this instance.
    pub(in crate::pump) fn parked_bytes(&self) -> usize {
        let partitions = self.partitions.values();
        partitions.map(|assigned| assigned.stays.bytes()).sum()
    }

    /// Moves a lane that neither runs nor is being written to the store.
    pub(in crate::pump) fn park(
        &mut self,
        partition: Partition,
        index: LaneIndex,
        cause: &Waiting,
        wait: Duration,
        now: Time,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        assigned.set_timer(&mut self.timers, partition, index, None);
        let assignment = assigned.assignment;
        let (key, head, queue) = assigned.lanes.take(index);
        let Some(first) = queue.front() else {
            return;
        };
        self.actions.push(Action::Waits {
            at: At {
                partition,
                assignment,
                offset: first.offset,
            },
            body: first.body.clone(),
            cause: cause.clone(),
            wait,
            parked: true,
        });
        // Waiting between attempts makes a record older, waiting for others does not.
        let ages = if *cause == Waiting::Retry {
            wait
        } else {
            Duration::ZERO
        };
        let look = Look {
            key: key.clone(),
            offset: first.offset,
            cause: cause.clone(),
            due: wait,
            attempts: head.attempts,
            age: head.age(now).saturating_add(ages),
        };
        let stay = assigned
            .stays
            .find(&key)
            .unwrap_or_else(|| assigned.stays.begin(key, Place::Rests));
        assigned.outbox.look(stay, look);
        let mut let_go = Vec::new();
        for record in queue {
            if record.is_stored {
                let_go.push(record.bytes);
            } else {
                assigned.enter(stay, record);
            }
        }
        for bytes in let_go {
            self.discount(partition, bytes);
        }
        self.rest(partition, stay, cause, wait, now);
        self.parking_dirty.insert(partition);
    }

    /// A record of a key that has a stay goes behind what is stored; `Err` gives it back if the key has none.
    pub(in crate::pump) fn append(
        &mut self,
        partition: Partition,
        key: &LaneKey,
        record: Queued<R>,
    ) -> Result<(), Queued<R>> {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return Err(record);
        };
        let Some(stay) = assigned.stays.find(key) else {
            return Err(record);
        };
        if assigned.stays.get(stay).is_none_or(Stay::is_over) {
            return Err(record);
        }
        self.enter(partition, stay, record);
        Ok(())
    }

    /// Parks waiting lanes, the oldest heads first, until half of them are gone: the map or the memory runs out.
    pub(in crate::pump) fn relieve(&mut self, partition: Partition, now: Time) {
        let Some(assigned) = self.partitions.get(&partition) else {
            return;
        };
        let mut waiting: Vec<_> = assigned
            .lanes
            .iter()
            .filter_map(|(index, lane)| match &lane.state {
                State::Waiting {
                    cause,
                    until,
                    next: Next::Run,
                    ..
                } => Some((lane.queue.front()?.offset, index, cause.clone(), *until)),
                _ => None,
            })
            .collect();
        waiting.sort_by_key(|&(offset, ..)| offset);
        waiting.truncate(waiting.len().div_ceil(2));
        for (_, index, cause, until) in waiting {
            if !self.may_park(partition) {
                return;
            }
            self.park(partition, index, &cause, until.since(now), now);
        }
    }

    /// A stay waits in the store: with its dependency's convoy, or for its own time.
    pub(in crate::pump) fn rest(
        &mut self,
        partition: Partition,
        index: StayIndex,
        cause: &Waiting,
        wait: Duration,
        now: Time,
    ) {
        let ParkingConfig {
            look_max,
            lanes_max,
            ..
        } = self.config.parking.unwrap_or_default();
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(stay) = assigned.stays.get_mut(index) else {
            return;
        };
        stay.place = Place::Rests;
        let awaited = match cause {
            Waiting::Dependency(name) => Some(Awaited::Dependency(Arc::clone(name))),
            _ => None,
        };
        match stay.convoy.take() {
            Some(left) if Some(&left) == awaited.as_ref() => {
                assigned.convoys.turned_back(&left, wait, now, look_max);
            }
            Some(left) => assigned.convoys.got_through(&left, lanes_max),
            None => {}
        }
        if let Some(awaited) = awaited {
            assigned.convoys.join(awaited, index, now.plus(wait), 1);
        } else {
            let due = now.plus(wait);
            stay.timer = Some(due);
            self.timers.add(due, partition, Timer::Stay(index));
        }
        self.parking_dirty.insert(partition);
    }
}

impl Stay {
    pub(super) fn is_empty(&self) -> bool {
        self.stored == 0 && self.entering == 0
    }

    /// Every record of the key is settled: what comes next needs not go to the store.
    pub(super) fn is_over(&self) -> bool {
        self.is_empty() && self.place == Place::Idle && self.held.is_none()
    }

    /// Whether the store has a row of it that may run.
    pub(super) fn is_loadable(&self) -> bool {
        self.stored > 0 && (self.held.is_none() || self.ahead)
    }
}
