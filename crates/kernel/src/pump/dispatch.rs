//! Ready lanes are handed over: round robin over partitions, first come first served within one.
//!
//! Invariant: at most `running_max` lanes run, and a record that ran before is handed over without others.

use super::{Action, At, Dispatch, Pump, RunRecord, lane::State, lanes::LaneIndex};
use crate::ids::{Epoch, Partition, Time};

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Settles what needs no run and lines the partition up for dispatch, if it may work at all.
    pub(super) fn open(&mut self, partition: Partition) {
        while let Some(assigned) = self.partitions.get_mut(&partition) {
            if assigned.open_epoch().is_none() {
                return;
            }
            if let Some(skip) = assigned.skips.pop_front() {
                self.settle(partition, skip.record, super::Settle::Skipped(skip.reason));
                continue;
            }
            if assigned.lanes.any_ready() && !assigned.in_turn {
                assigned.in_turn = true;
                self.turn.push_back(partition);
            }
            return;
        }
    }

    /// Hands over what may run: a suspect alone, or others.
    pub(super) fn dispatch(&mut self, now: Time) {
        if !self.lets_one_run_alone(now) {
            self.dispatch_ready(now);
            // The time of one of them may have come.
            self.lets_one_run_alone(now);
        }
    }

    /// Hands lanes over until none is ready or the instance is full.
    fn dispatch_ready(&mut self, now: Time) {
        while self.running < self.config.running_max {
            let Some(partition) = self.turn.pop_front() else {
                return;
            };
            let Some(assigned) = self.partitions.get_mut(&partition) else {
                continue;
            };
            assigned.in_turn = false;
            let Some(epoch) = assigned.open_epoch() else {
                continue;
            };
            if let Some(index) = assigned.lanes.next_ready()
                && !self.set_aside(partition, index, now)
            {
                self.hand_over(partition, index, epoch, now);
            }
            self.open(partition);
        }
    }

    /// Hands over a lane's head, and what may follow it.
    pub(super) fn hand_over(
        &mut self,
        partition: Partition,
        index: LaneIndex,
        epoch: Epoch,
        now: Time,
    ) {
        let alone = self.alone.is_running();
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let assignment = assigned.assignment;
        let suspects = &assigned.suspects;
        let lane = assigned.lanes.lane_mut(index);
        let records_max = match lane.head.first_run {
            None if !alone => self.config.dispatch_records_max,
            _ => 1,
        };
        let attempts = lane.head.attempts;
        let records: Vec<RunRecord<R>> = lane
            .queue
            .iter()
            .take(records_max)
            .take_while(|record| !suspects.has(record.offset))
            .map(|record| RunRecord {
                at: At {
                    partition,
                    assignment,
                    offset: record.offset,
                },
                attempts,
                body: record.body.clone(),
            })
            .collect();
        let Some(first) = records.first() else {
            return;
        };
        lane.head.first_run.get_or_insert(now);
        lane.state = State::Running {
            handed: records.len(),
            since: now,
            abort: None,
        };
        assigned.busy.insert(first.at.offset, index);
        assigned.running += 1;
        self.running += 1;
        let deadline = now.plus(self.config.run_deadline);
        assigned.set_timer(&mut self.timers, partition, index, Some(deadline));
        self.actions.push(Action::Run(Dispatch {
            epoch,
            alone,
            records,
        }));
    }
}
