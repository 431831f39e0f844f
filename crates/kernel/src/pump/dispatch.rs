//! Ready lanes are handed over: round robin over partitions, first come first served within one.
//!
//! Invariant: at most `running_max` lanes run, and a record that ran before is handed over alone.

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

    /// Hands lanes over until none is ready or the instance is full.
    pub(super) fn dispatch(&mut self, now: Time) {
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
            if let Some(index) = assigned.lanes.next_ready() {
                self.hand_over(partition, index, epoch, now);
            }
            self.open(partition);
        }
    }

    /// Hands over a lane's head, and what may follow it.
    fn hand_over(&mut self, partition: Partition, index: LaneIndex, epoch: Epoch, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let assignment = assigned.assignment;
        let lane = assigned.lanes.lane_mut(index);
        let records_max = match lane.head.first_run {
            None => self.config.dispatch_records_max,
            Some(_) => 1,
        };
        let attempts = lane.head.attempts;
        let records: Vec<RunRecord<R>> = lane
            .queue
            .iter()
            .take(records_max)
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
        self.actions.push(Action::Run(Dispatch { epoch, records }));
    }
}
