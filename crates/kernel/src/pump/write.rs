//! Events and dead letters are written before their record settles.
//!
//! Invariant: a record that emitted, or died, settles only after its write was acknowledged; a write that fails
//! holds back its own lane and no other.

use super::{
    Action, At, Pump, Settle, WriteFault,
    lane::{Letter, Next, State},
    lanes::LaneIndex,
};
use crate::{
    cause::{Death, Waiting},
    ids::{Partition, Time},
};

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Publishes what a run emitted.
    pub(super) fn publish(&mut self, partition: Partition, index: LaneIndex, emits: X) {
        self.write(partition, index, State::Publishing(emits));
    }

    /// Writes a dead letter.
    pub(super) fn dead_letter(
        &mut self,
        partition: Partition,
        index: LaneIndex,
        letter: Letter<X>,
    ) {
        self.write(partition, index, State::DeadLettering(letter));
    }

    fn write(&mut self, partition: Partition, index: LaneIndex, state: State<X>) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if assigned.is_cut() {
            self.line_up(partition, index);
            return;
        }
        let assignment = assigned.assignment;
        let lane = assigned.lanes.lane_mut(index);
        let Some(record) = lane.queue.front() else {
            return;
        };
        let at = At {
            partition,
            assignment,
            offset: record.offset,
        };
        let body = record.body.clone();
        match &state {
            State::Publishing(emits) => self.actions.push(Action::Publish {
                at,
                body,
                emits: emits.clone(),
            }),
            State::DeadLettering(letter) => self.actions.push(Action::DeadLetter {
                at,
                body,
                cause: letter.cause,
                attempts: letter.attempts,
                residue: letter.residue.clone(),
            }),
            State::Ready | State::Running { .. } | State::Holding(_) | State::Waiting { .. } => {
                return;
            }
        }
        lane.state = state;
        assigned.busy.insert(at.offset, index);
        assigned.writing += 1;
    }

    /// Takes the answer to a publish.
    pub(super) fn published(&mut self, at: At, result: Result<(), WriteFault>, now: Time) {
        let wanted = |state: &State<X>| matches!(state, State::Publishing(_));
        let Some((index, State::Publishing(emits))) = self.end_write(at, wanted) else {
            return;
        };
        match result {
            Ok(()) => {
                self.settle_head(at.partition, index, Settle::Done);
                self.line_up(at.partition, index);
            }
            Err(WriteFault::Unavailable) => {
                let wait = self.config.write_retry;
                let next = Next::Publish(emits);
                self.wait(at.partition, index, Waiting::EmitWrite, wait, next, now);
            }
            Err(WriteFault::Rejected) => {
                let letter = Letter {
                    cause: Death::EmitRejected,
                    attempts: self.attempts(at.partition, index).saturating_add(1),
                    residue: None,
                };
                self.dead_letter(at.partition, index, letter);
            }
        }
    }

    /// Takes the answer to a dead letter. One that is refused for good is tried again too: nothing is lost.
    pub(super) fn dead_lettered(&mut self, at: At, result: Result<(), WriteFault>, now: Time) {
        let wanted = |state: &State<X>| matches!(state, State::DeadLettering(_));
        let Some((index, State::DeadLettering(letter))) = self.end_write(at, wanted) else {
            return;
        };
        match result {
            Ok(()) if self.is_to_hold(at.partition, index) => {
                self.begin_hold(at, index, letter.cause);
            }
            Ok(()) => {
                self.settle_head(at.partition, index, Settle::Dead(letter.cause));
                self.line_up(at.partition, index);
            }
            Err(WriteFault::Unavailable | WriteFault::Rejected) => {
                let wait = self.config.write_retry;
                let next = Next::DeadLetter(letter);
                let cause = Waiting::DeadLetterWrite;
                self.wait(at.partition, index, cause, wait, next, now);
            }
        }
    }

    /// Takes a lane out of the write that was answered; `None` if it is in no such write.
    pub(super) fn end_write(
        &mut self,
        at: At,
        wanted: impl Fn(&State<X>) -> bool,
    ) -> Option<(LaneIndex, State<X>)> {
        let assigned = self.partitions.get_mut(&at.partition)?;
        let index = assigned.busy_lane(at)?;
        let lane = assigned.lanes.lane_mut(index);
        if !wanted(&lane.state) {
            return None;
        }
        let state = std::mem::replace(&mut lane.state, State::Ready);
        assigned.busy.remove(&at.offset);
        assigned.writing = assigned.writing.saturating_sub(1);
        self.consider_replays(at.partition);
        Some((index, state))
    }

    /// Gives up the writes of a partition whose drain budget is spent; late answers are ignored.
    pub(super) fn abandon_writes(&mut self, partition: Partition) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let busy: Vec<_> = assigned
            .busy
            .iter()
            .map(|(&o, &index)| (o, index))
            .collect();
        for (offset, index) in busy {
            let state = &assigned.lanes.lane(index).state;
            if matches!(
                state,
                State::Publishing(_) | State::DeadLettering(_) | State::Holding(_)
            ) {
                assigned.busy.remove(&offset);
                assigned.lanes.line_up(index);
            }
        }
        assigned.writing = 0;
        assigned.outbox.give_up_holds();
    }
}
