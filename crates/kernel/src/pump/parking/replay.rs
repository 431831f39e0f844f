//! What operators want done with dead letters, carried out by the partition's owner.
//!
//! Invariant: a dead record comes back only as a row of its key, at its own offset: so it runs ahead of all that came
//! later, one at a time with it, and under this owner's epoch, like every row. It comes when nothing of the key is busy
//! in memory: what is unsettled then goes to the store behind it, oldest first, and none of it can be overtaken.

use super::{PlanStep, PlanStepKind, Replay, Stay, stays::Place};
use crate::{
    ids::{Assignment, Partition},
    pump::{
        Pump,
        intake::lane_key,
        lane::{Next, State},
    },
};

/// A replay that waits for its lane.
#[derive(Clone, Debug)]
pub(in crate::pump) struct Wanted {
    pub(super) replay: Replay,
    pub(super) bytes: usize,
}

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Takes plan steps that are due. What cannot be done now is left: it comes again.
    pub(in crate::pump) fn plan_steps(
        &mut self,
        partition: Partition,
        assignment: Assignment,
        steps: Vec<PlanStep>,
    ) {
        if self.config.parking.is_none() {
            return;
        }
        for step in steps {
            let Some(assigned) = self.partitions.get_mut(&partition) else {
                return;
            };
            let key = lane_key(self.config.order, step.offset, &step.lane);
            let takes = assigned.assignment == assignment
                && assigned.may_store()
                && !assigned.quiescing
                && !assigned.outbox.knows(step.number)
                // Who asked knew nothing of a hold that is being written.
                && !assigned.outbox.holds(&key);
            if !takes {
                continue;
            }
            match step.kind {
                PlanStepKind::Release => {
                    assigned.outbox.end_step(step.number);
                    // Who asked meant the hold behind this record; a later one is for others to end.
                    if assigned.stays.held(&key) == Some(step.offset) {
                        assigned.outbox.release(key);
                    }
                    self.parking_dirty.insert(partition);
                }
                // It runs, or will: its letter was written, and its settlement was not committed.
                PlanStepKind::Replay { .. } if assigned.ledger.is_pending(step.offset) => {}
                PlanStepKind::Replay { bytes } => {
                    let replay = Replay {
                        number: step.number,
                        key,
                        offset: step.offset,
                    };
                    assigned.outbox.wanted.push(Wanted { replay, bytes });
                    self.parking_dirty.insert(partition);
                }
            }
        }
    }

    /// Begins the replays whose lanes are not busy.
    pub(super) fn begin_replays(&mut self, partition: Partition) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if assigned.outbox.wanted.is_empty() || !assigned.may_store() {
            return;
        }
        let wanted = std::mem::take(&mut assigned.outbox.wanted);
        for wanted in wanted {
            self.begin_replay(partition, wanted);
        }
    }

    fn begin_replay(&mut self, partition: Partition, wanted: Wanted) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let key = &wanted.replay.key;
        let lane = assigned.lanes.find(key);
        if lane.is_some_and(|index| is_busy(&assigned.lanes.lane(index).state)) {
            assigned.outbox.wanted.push(wanted);
            return;
        }
        let known = assigned.stays.find(key);
        let is_burying = |found: &Stay| found.burying > 0;
        if known
            .and_then(|stay| assigned.stays.get(stay))
            .is_some_and(is_burying)
        {
            // It may be this record whose death is not told yet: burying it later would take the row away again.
            assigned.outbox.wanted.push(wanted);
            return;
        }
        let stay = match known {
            Some(stay) => stay,
            None => assigned.stays.begin(key.clone(), Place::Idle),
        };
        if let Some(found) = assigned.stays.get_mut(stay) {
            found.entering += 1;
            found.returning += 1;
            // What is being read may lack the record.
            if lane.is_some() || matches!(found.place, Place::Loads(..)) {
                found.place = Place::Idle;
            }
        }
        assigned.outbox.replay(stay, wanted);
        if let Some(index) = lane {
            self.follow(partition, index, stay);
        }
    }

    /// A lane's head has ended: a replay may wait for that.
    pub(in crate::pump) fn consider_replays(&mut self, partition: Partition) {
        if let Some(assigned) = self.partitions.get(&partition)
            && !assigned.outbox.wanted.is_empty()
        {
            self.parking_dirty.insert(partition);
        }
    }
}

/// Whether a lane's head does something that must end first.
fn is_busy<X>(state: &State<X>) -> bool {
    match state {
        State::Running { .. }
        | State::Publishing(_)
        | State::DeadLettering(_)
        | State::Holding(_)
        | State::Waiting {
            next: Next::Publish(_) | Next::DeadLetter(_),
            ..
        } => true,
        State::Ready
        | State::Waiting {
            next: Next::Run, ..
        } => false,
    }
}
