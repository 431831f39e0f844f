//! Lanes wait, with a cause and a time, and wake.
//!
//! Invariant: a waiting lane has exactly one timer; its timeline is told of every change of cause, once.

use std::time::Duration;

use super::{
    Action, At, Pump,
    lane::{Next, State},
    lanes::LaneIndex,
    timers::Timer,
};
use crate::{
    cause::Waiting,
    ids::{Partition, Time},
};

/// No wait is shorter: a fault that answers at once must not spin.
const WAIT_MIN: Duration = Duration::from_millis(1);

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Lets a lane wait.
    pub(super) fn wait(
        &mut self,
        partition: Partition,
        index: LaneIndex,
        cause: Waiting,
        wait: Duration,
        next: Next<X>,
        now: Time,
    ) {
        let wait = wait.max(WAIT_MIN);
        if matches!(next, Next::Run) && self.will_park(partition, index, wait, now) {
            self.park(partition, index, &cause, wait, now);
            return;
        }
        self.wait_here(partition, index, cause, wait, next, now);
    }

    /// Lets a lane wait in memory.
    pub(super) fn wait_here(
        &mut self,
        partition: Partition,
        index: LaneIndex,
        cause: Waiting,
        wait: Duration,
        next: Next<X>,
        now: Time,
    ) {
        let wait = wait.max(WAIT_MIN);
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let until = now.plus(wait);
        assigned.set_timer(&mut self.timers, partition, index, Some(until));
        let assignment = assigned.assignment;
        let lane = assigned.lanes.lane_mut(index);
        let Some(record) = lane.queue.front() else {
            return;
        };
        if lane.head.announced.as_ref() != Some(&cause) {
            lane.head.announced = Some(cause.clone());
            self.actions.push(Action::Waits {
                at: At {
                    partition,
                    assignment,
                    offset: record.offset,
                },
                body: record.body.clone(),
                cause: cause.clone(),
                wait,
                parked: false,
            });
        }
        lane.state = State::Waiting {
            cause,
            since: now,
            until,
            next,
        };
    }

    /// Does what has come due.
    pub(super) fn fire_timers(&mut self, now: Time) {
        while let Some((partition, timer)) = self.timers.pop_due(now) {
            match timer {
                Timer::Ownership => self.ask_owner(partition),
                Timer::Lane(index) => self.fire_lane(partition, index, now),
                Timer::Stay(index) => self.stay_due(partition, index, now),
                Timer::Convoys => self.convoys_due(partition),
                Timer::Park => self.park_again(partition),
            }
        }
    }

    fn fire_lane(&mut self, partition: Partition, index: LaneIndex, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let draining = assigned.drain.is_some();
        let lane = assigned.lanes.lane_mut(index);
        lane.timer = None;
        let (cause, since, next) = match std::mem::replace(&mut lane.state, State::Ready) {
            State::Waiting {
                cause, since, next, ..
            } => (cause, since, next),
            other => {
                lane.state = other;
                self.overrun(partition, index, now);
                return;
            }
        };
        if excuses(&cause) {
            lane.head.excused = lane.head.excused.saturating_add(now.since(since));
        }
        match next {
            Next::Run => self.line_up(partition, index),
            // A partition on its way out begins no write again; its next owner runs the record anew.
            next if draining => {
                let wait = self.config.write_retry;
                self.wait(partition, index, cause, wait, next, now);
            }
            Next::Publish(emits) => self.publish(partition, index, emits),
            Next::DeadLetter(letter) => self.dead_letter(partition, index, letter),
        }
    }

    /// Puts a lane that is neither running nor waiting back in line, or frees it.
    pub(super) fn line_up(&mut self, partition: Partition, index: LaneIndex) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let lane = assigned.lanes.lane(index);
        let emptied = lane.queue.is_empty().then(|| lane.key.clone());
        assigned.lanes.line_up(index);
        if let Some(key) = emptied {
            self.lane_emptied(partition, &key);
        }
        self.open(partition);
    }
}

/// Waiting for others does not make a record older.
fn excuses(cause: &Waiting) -> bool {
    matches!(
        cause,
        Waiting::Dependency(_) | Waiting::Quota(_) | Waiting::Claimed | Waiting::Suspect
    )
}
