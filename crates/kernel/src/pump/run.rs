//! A run ended: what becomes of its record and its lane.
//!
//! Invariant: a run that has no lane here any more (its assignment is gone) changes nothing but its own memory.

use std::time::Duration;

use super::{
    Abort, Action, At, Pump, RunEnd, Settle,
    lane::{Head, Letter, Next, State},
    lanes::LaneIndex,
};
use crate::{
    cause::{Death, Waiting},
    claims::CLAIMED_RECHECK,
    ids::{Partition, Time},
    retry,
};

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Takes the end of a run.
    pub(super) fn finish(&mut self, at: At, end: RunEnd<X>, now: Time) {
        if self.orphans.contains_key(&at) {
            self.finish_orphan(at, &end);
            return;
        }
        let Some(index) = self.running_lane(at) else {
            return;
        };
        let partition = at.partition;
        match end {
            RunEnd::Done { emits: None } => self.go_on(at, index, Settle::Done, now),
            RunEnd::Skipped(reason) => self.go_on(at, index, Settle::Skipped(reason), now),
            RunEnd::Done { emits: Some(emits) } => {
                self.end_dispatch(at, index);
                self.publish(partition, index, emits);
            }
            RunEnd::Failed {
                cause,
                retry_after,
                residue,
            } => {
                self.end_dispatch(at, index);
                self.fail(partition, index, cause, retry_after, residue, now);
            }
            RunEnd::Deferred { cause, wait } => {
                self.end_dispatch(at, index);
                if cause == Waiting::Suspect {
                    self.suspect_again(at);
                }
                self.wait(partition, index, cause, wait, Next::Run, now);
            }
            RunEnd::Dead { cause, residue } => {
                self.end_dispatch(at, index);
                let letter = Letter {
                    cause,
                    attempts: self.attempts(partition, index).saturating_add(1),
                    residue: Some(residue),
                };
                self.dead_letter(partition, index, letter);
            }
            RunEnd::Dropped { in_call, residue } => match (self.end_dispatch(at, index), in_call) {
                (Some(Abort::Deadline), true) => {
                    self.wait(
                        partition,
                        index,
                        Waiting::Claimed,
                        CLAIMED_RECHECK,
                        Next::Run,
                        now,
                    );
                }
                (Some(Abort::Deadline), false) => {
                    self.fail(partition, index, Death::Deadline, None, residue, now);
                }
                (Some(Abort::Drain | Abort::Lost) | None, _) => self.line_up(partition, index),
            },
            RunEnd::Fenced => {
                self.end_dispatch(at, index);
                self.line_up(partition, index);
                self.fence(partition, now);
            }
        }
        self.end_quiescing(partition);
    }

    /// A run of an assignment that is gone has ended, or gone on to the next record it was handed.
    fn finish_orphan(&mut self, at: At, end: &RunEnd<X>) {
        let Some(mut rest) = self.orphans.remove(&at) else {
            return;
        };
        let goes_on = matches!(end, RunEnd::Done { emits: None } | RunEnd::Skipped(_));
        if let (true, Some(offset)) = (goes_on, rest.pop_front()) {
            let at = At { offset, ..at };
            self.orphans.insert(at, rest);
            self.actions.push(Action::Abort {
                at,
                why: Abort::Lost,
            });
            return;
        }
        self.running = self.running.saturating_sub(1);
        self.end_quiescing(at.partition);
    }

    /// Settles the head and lets the dispatch go on with the next record, if it was handed one.
    fn go_on(&mut self, at: At, index: LaneIndex, settle: Settle, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&at.partition) else {
            return;
        };
        let stopping = assigned.is_cut() || assigned.quiescing;
        let lane = assigned.lanes.lane_mut(index);
        let State::Running { handed, .. } = lane.state else {
            return;
        };
        if handed < 2 {
            self.end_dispatch(at, index);
            self.settle_head(at.partition, index, settle);
            self.line_up(at.partition, index);
            return;
        }
        let why = match stopping {
            true if assigned.drain.is_some() => Some(Abort::Drain),
            true => Some(Abort::Lost),
            false => None,
        };
        lane.state = State::Running {
            handed: handed - 1,
            since: now,
            abort: why,
        };
        self.settle_head(at.partition, index, settle);
        let Some(assigned) = self.partitions.get_mut(&at.partition) else {
            return;
        };
        let lane = assigned.lanes.lane_mut(index);
        lane.head = Head {
            first_run: Some(now),
            ..Head::default()
        };
        let Some(next) = lane.queue.front() else {
            return;
        };
        let at = At {
            offset: next.offset,
            ..at
        };
        assigned.busy.insert(at.offset, index);
        // The timer stays where it is: when it fires too early, it is set anew.
        if lane.timer.is_none() {
            let deadline = now.plus(self.config.run_deadline);
            assigned.set_timer(&mut self.timers, at.partition, index, Some(deadline));
        }
        if let Some(why) = why {
            self.actions.push(Action::Abort { at, why });
        }
    }

    /// The lane is no longer running; returns whether and why it had been told to stop.
    fn end_dispatch(&mut self, at: At, index: LaneIndex) -> Option<Abort> {
        let assigned = self.partitions.get_mut(&at.partition)?;
        assigned.set_timer(&mut self.timers, at.partition, index, None);
        let lane = assigned.lanes.lane_mut(index);
        let State::Running { abort, .. } = lane.state else {
            return None;
        };
        lane.state = State::Ready;
        assigned.busy.remove(&at.offset);
        assigned.running = assigned.running.saturating_sub(1);
        self.running = self.running.saturating_sub(1);
        self.consider_replays(at.partition);
        abort
    }

    /// An attempt is spent: the record runs again later, or is dead.
    fn fail(
        &mut self,
        partition: Partition,
        index: LaneIndex,
        cause: Death,
        retry_after: Option<Duration>,
        residue: X,
        now: Time,
    ) {
        let policy = self.config.retry;
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let head = &mut assigned.lanes.lane_mut(index).head;
        head.attempts = head.attempts.saturating_add(1);
        let age = head.age(now);
        let death = if head.attempts >= policy.attempts_max {
            Some(cause)
        } else if age > policy.age_max {
            Some(Death::Deadline)
        } else {
            None
        };
        if let Some(cause) = death {
            let letter = Letter {
                cause,
                attempts: head.attempts,
                residue: Some(residue),
            };
            self.dead_letter(partition, index, letter);
            return;
        }
        let wait = retry_after.unwrap_or_else(|| {
            head.retry_wait = retry::next_wait(&policy, head.retry_wait, self.random.draw());
            head.retry_wait
        });
        self.wait(partition, index, Waiting::Retry, wait, Next::Run, now);
    }

    /// A run overran its deadline: it is told once.
    pub(super) fn overrun(&mut self, partition: Partition, index: LaneIndex, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let assignment = assigned.assignment;
        let lane = assigned.lanes.lane_mut(index);
        let State::Running { since, abort, .. } = &mut lane.state else {
            return;
        };
        if abort.is_some() {
            return;
        }
        let deadline = since.plus(self.config.run_deadline);
        if now < deadline {
            assigned.set_timer(&mut self.timers, partition, index, Some(deadline));
            return;
        }
        *abort = Some(Abort::Deadline);
        let Some(head) = lane.queue.front() else {
            return;
        };
        let at = At {
            partition,
            assignment,
            offset: head.offset,
        };
        self.actions.push(Action::Abort {
            at,
            why: Abort::Deadline,
        });
    }

    fn running_lane(&self, at: At) -> Option<LaneIndex> {
        let assigned = self.partitions.get(&at.partition)?;
        let index = assigned.busy_lane(at)?;
        let running = matches!(assigned.lanes.lane(index).state, State::Running { .. });
        running.then_some(index)
    }

    /// Attempts that a lane's head has spent.
    pub(super) fn attempts(&self, partition: Partition, index: LaneIndex) -> u32 {
        let assigned = self.partitions.get(&partition);
        assigned.map_or(0, |assigned| assigned.lanes.lane(index).head.attempts)
    }
}
