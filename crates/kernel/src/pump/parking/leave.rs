//! Stays wake, their lanes run head first out of the store, and end when nothing is left of them.
//!
//! Invariant: of a stay at most one load is out or one lane runs; what a lane runs are the oldest rows of its key.

use std::sync::Arc;

use super::{Awaited, ParkFault, ParkedLane, ParkedLoad, ParkedRecord, StayIndex, stays::Place};
use crate::{
    cause::Waiting,
    ids::{Assignment, LaneKey, LoadNumber, Offset, Partition, Time},
    pump::{Abort, Action, Pump, Settle, lane::Queued, lanes::LaneIndex, timers::Timer},
};

impl<R: Clone, X: Clone> Pump<R, X> {
    /// What a new owner finds in the store, and what it holds in memory of the same keys.
    pub(in crate::pump) fn find_parked(
        &mut self,
        partition: Partition,
        lanes: Vec<ParkedLane>,
        now: Time,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let mut resting = Vec::new();
        for lane in lanes {
            let index = assigned.stays.begin(lane.key, Place::Held);
            assigned.stays.add(index, lane.records, lane.bytes);
            let is_held = lane.held.is_some();
            let ahead = is_held && lane.head.is_some_and(|head| Some(head) <= lane.held);
            if let Some(stay) = assigned.stays.get_mut(index) {
                stay.held = lane.held;
                stay.ahead = ahead;
            }
            if !is_held || ahead {
                resting.push((index, lane.cause, lane.due));
            }
        }
        for (index, cause, due) in resting {
            self.rest(partition, index, &cause, due, now);
        }
        self.follow_stays(partition);
    }

    /// Records that came before it was known that their key is parked go behind what is stored.
    fn follow_stays(&mut self, partition: Partition) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let lanes: Vec<(LaneIndex, StayIndex)> = assigned
            .lanes
            .iter()
            .filter_map(|(index, lane)| Some((index, assigned.stays.find(&lane.key)?)))
            .collect();
        for (index, stay) in lanes {
            self.follow(partition, index, stay);
        }
    }

    /// Forgets what is known of the store, before it is read again: another owner may have changed it. What runs out of
    /// it counts no more, and records on their way in are lined up anew.
    pub(in crate::pump) fn forget_parked(&mut self, partition: Partition) {
        let parked = self.partitions.get(&partition);
        if parked.is_none_or(|assigned| assigned.stays.keys() == 0 && !assigned.outbox.has_holds())
        {
            return;
        }
        self.abort_runs(partition, Abort::Lost);
        self.disown_runs(partition);
        self.abandon_writes(partition);
        self.forget_rows(partition);
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        assigned.forget_stay_timers(&mut self.timers, partition);
        let stays = std::mem::take(&mut assigned.stays);
        assigned.convoys = super::Convoys::default();
        let mut let_go = Vec::new();
        let woken = assigned.lanes.retain(|record| {
            if record.is_stored {
                let_go.push(record.bytes);
            }
            !record.is_stored
        });
        for index in woken {
            assigned.set_timer(&mut self.timers, partition, index, None);
            assigned.lanes.line_up(index);
        }
        for (stay, record) in assigned.outbox.take_entering() {
            if let Some(stay) = stays.get(stay) {
                assigned.lanes.push(stay.key.clone(), record);
            }
        }
        for bytes in let_go {
            self.discount(partition, bytes);
        }
    }

    /// A stay's own time has come.
    pub(in crate::pump) fn stay_due(&mut self, partition: Partition, index: StayIndex, now: Time) {
        let lanes_max = self.config.parking.unwrap_or_default().lanes_max;
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if let Some(stay) = assigned.stays.get_mut(index) {
            stay.timer = None;
            assigned.convoys.join(Awaited::Turn, index, now, lanes_max);
            self.parking_dirty.insert(partition);
        }
    }

    /// One of a convoy may look.
    pub(in crate::pump) fn convoys_due(&mut self, partition: Partition) {
        if let Some(assigned) = self.partitions.get_mut(&partition) {
            assigned.convoy_timer = None;
            self.parking_dirty.insert(partition);
        }
    }

    /// Wakes those that may look now.
    pub(in crate::pump) fn wake_stays(&mut self, partition: Partition, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let mut woken = Vec::new();
        if assigned.open_epoch().is_some() {
            while let Some((convoy, index)) = assigned.convoys.next(now) {
                if let Some(stay) = assigned.stays.get_mut(index) {
                    stay.convoy = Some(convoy);
                    woken.push(index);
                }
            }
        }
        for index in woken {
            self.load(partition, index);
        }
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if let Some(old) = assigned.convoy_timer.take() {
            self.timers.remove(old, partition, Timer::Convoys);
        }
        assigned.convoy_timer = assigned.convoys.look_at().filter(|&due| due > now);
        if let Some(due) = assigned.convoy_timer {
            self.timers.add(due, partition, Timer::Convoys);
        }
    }

    /// Asks for a stay's oldest rows that may run; without any it ends, or waits for those that are on their way in, or
    /// for its hold to end.
    pub(super) fn load(&mut self, partition: Partition, index: StayIndex) {
        let parking = self.config.parking.unwrap_or_default();
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(stay) = assigned.stays.get_mut(index) else {
            return;
        };
        if stay.burying > 0 || stay.returning > 0 {
            // The store would hand out again what has just settled, or what comes after a replay without that.
            stay.place = Place::Idle;
            return;
        }
        if stay.is_loadable() {
            stay.ahead = false;
            stay.asked = stay.stored;
            self.loads = LoadNumber(self.loads.0 + 1);
            stay.place = Place::Loads(self.loads, stay.held);
            self.actions.push(Action::LoadParked(ParkedLoad {
                load: self.loads,
                partition,
                assignment: assigned.assignment,
                key: stay.key.clone(),
                records_max: parking.load_records_max.max(1),
                through: stay.held,
            }));
            return;
        }
        stay.place = match stay.held {
            Some(_) => Place::Held,
            None => Place::Idle,
        };
        // It may wait for room that only others of its convoy can make: it keeps nobody's turn.
        if let Some(convoy) = stay.convoy.take() {
            assigned.convoys.got_through(&convoy, parking.lanes_max);
            self.parking_dirty.insert(partition);
        }
        if stay.is_empty() && stay.held.is_none() {
            assigned.stays.end(index);
        }
    }

    /// Takes the answer to a load.
    pub(in crate::pump) fn parked_loaded(
        &mut self,
        partition: Partition,
        assignment: Assignment,
        load: LoadNumber,
        key: &LaneKey,
        result: Result<Vec<ParkedRecord<R>>, ParkFault>,
        now: Time,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(index) = assigned.stays.find(key) else {
            return;
        };
        let Some(stay) = assigned.stays.get_mut(index) else {
            return;
        };
        let Place::Loads(asked, through) = stay.place else {
            return;
        };
        if assigned.assignment != assignment || asked != load {
            return;
        }
        match result {
            Err(_) => {
                let wait = self.config.write_retry;
                let cause = Waiting::Dependency(Arc::from("store"));
                self.rest(partition, index, &cause, wait, now);
            }
            Ok(records) if records.is_empty() => {
                if through.is_none() {
                    // Erased, or settled by hand; but what came since then is there.
                    stay.stored = stay.stored.saturating_sub(stay.asked);
                }
                self.load(partition, index);
            }
            Ok(records) => {
                stay.ahead = true;
                self.run_loaded(partition, index, records);
                self.hold_intake(partition, now);
            }
        }
    }

    fn run_loaded(
        &mut self,
        partition: Partition,
        index: StayIndex,
        records: Vec<ParkedRecord<R>>,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(stay) = assigned.stays.get_mut(index) else {
            return;
        };
        stay.place = Place::Runs;
        let key = stay.key.clone();
        let head = records.first().map(|head| (head.attempts, head.age));
        for record in records {
            assigned.held.records += 1;
            assigned.held.bytes = assigned.held.bytes.saturating_add(record.bytes);
            assigned.lanes.push(
                key.clone(),
                Queued {
                    offset: record.offset,
                    bytes: record.bytes,
                    is_stored: true,
                    is_replayed: record.replayed,
                    body: record.body,
                },
            );
        }
        if let (Some(lane), Some((attempts, age))) = (assigned.lanes.find(&key), head) {
            let head = &mut assigned.lanes.lane_mut(lane).head;
            head.attempts = attempts;
            head.aged = age;
        }
        self.open(partition);
    }

    /// A lane has no records left: if it ran for a stay, the stay goes on or ends.
    pub(in crate::pump) fn lane_emptied(&mut self, partition: Partition, key: &LaneKey) {
        let stay = self
            .partitions
            .get(&partition)
            .and_then(|assigned| assigned.stays.find(key));
        if let Some(index) = stay {
            self.load(partition, index);
        }
    }

    /// A row's record settled: it is a tombstone once its step is acknowledged. Says also whether it was dead before,
    /// and is not now.
    pub(in crate::pump) fn settle_stored(
        &mut self,
        partition: Partition,
        key: &LaneKey,
        record: &Queued<R>,
        settle: Settle,
    ) -> Option<(StayIndex, bool)> {
        let lanes_max = self.config.parking.unwrap_or_default().lanes_max;
        let assigned = self.partitions.get_mut(&partition)?;
        let index = assigned.stays.find(key)?;
        assigned.stays.subtract(index, record.bytes);
        let stay = assigned.stays.get_mut(index)?;
        stay.burying += 1;
        let is_dead = matches!(settle, Settle::Dead(_));
        let is_revived = !is_dead && (record.is_replayed || stay.held == Some(record.offset));
        if !is_dead && stay.held == Some(record.offset) {
            assigned.outbox.release(key.clone());
        }
        if let Some(convoy) = stay.convoy.take() {
            assigned.convoys.got_through(&convoy, lanes_max);
        }
        self.parking_dirty.insert(partition);
        self.make_room();
        Some((index, is_revived))
    }

    /// The step of a row's settlement is acknowledged.
    pub(in crate::pump) fn bury(
        &mut self,
        partition: Partition,
        stay: StayIndex,
        offset: Offset,
        is_revived: bool,
    ) {
        if let Some(assigned) = self.partitions.get_mut(&partition) {
            assigned.outbox.bury(stay, offset, is_revived);
            self.parking_dirty.insert(partition);
        }
    }
}
