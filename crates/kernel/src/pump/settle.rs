//! Records settle, are numbered, and become clear once their step is on the timelines topic.
//!
//! Invariant: an offset is clear, and so can be committed, only after the acknowledgement of its own step, and only
//! under the assignment in which it settled.

use std::collections::VecDeque;

use super::{
    Action, At, Pump, Settle,
    lane::{Head, Queued},
    lanes::LaneIndex,
    parking::StayIndex,
};
use crate::ids::{Partition, StepNumber};

/// Settlements in their order.
#[derive(Debug)]
pub(super) struct Steps {
    last: StepNumber,
    open: VecDeque<Told>,
}

/// A settlement whose step is on its way.
#[derive(Debug)]
struct Told {
    step: StepNumber,
    at: At,
    clears: Clears,
}

/// What a settlement's acknowledgement clears.
#[derive(Clone, Copy, Debug)]
enum Clears {
    /// The offset.
    Offset,
    /// The row in the store.
    Row {
        stay: StayIndex,
        /// It was dead before.
        is_revived: bool,
    },
    /// Nothing any more: the rows were read again meanwhile.
    Nothing,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            last: StepNumber(0),
            open: VecDeque::new(),
        }
    }
}

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Settles a lane's head and takes it out of the lane.
    pub(super) fn settle_head(&mut self, partition: Partition, index: LaneIndex, settle: Settle) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let lane = assigned.lanes.lane_mut(index);
        lane.head = Head::default();
        let Some(record) = lane.queue.pop_front() else {
            return;
        };
        assigned.busy.remove(&record.offset);
        assigned.suspects.acquit(record.offset);
        let clears = if record.is_stored {
            let key = lane.key.clone();
            match self.settle_stored(partition, &key, &record, settle) {
                Some((stay, is_revived)) => Clears::Row { stay, is_revived },
                None => Clears::Nothing,
            }
        } else {
            Clears::Offset
        };
        self.tell(partition, record, settle, clears);
    }

    /// Settles a record.
    pub(super) fn settle(&mut self, partition: Partition, record: Queued<R>, settle: Settle) {
        self.tell(partition, record, settle, Clears::Offset);
    }

    fn tell(&mut self, partition: Partition, record: Queued<R>, settle: Settle, clears: Clears) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let at = At {
            partition,
            assignment: assigned.assignment,
            offset: record.offset,
        };
        let step = StepNumber(self.steps.last.0 + 1);
        self.steps.last = step;
        self.steps.open.push_back(Told { step, at, clears });
        assigned.unacknowledged += 1;
        self.actions.push(Action::Settled {
            at,
            body: record.body,
            settle,
            step,
        });
        self.discount(partition, record.bytes);
    }

    /// Clears every settlement up to this step.
    pub(super) fn acknowledge(&mut self, step: StepNumber) {
        while let Some(&Told {
            step: settled,
            at,
            clears,
        }) = self.steps.open.front()
        {
            if settled > step {
                return;
            }
            self.steps.open.pop_front();
            let Some(assigned) = self.partitions.get_mut(&at.partition) else {
                continue;
            };
            if assigned.assignment != at.assignment {
                continue;
            }
            assigned.unacknowledged = assigned.unacknowledged.saturating_sub(1);
            match clears {
                Clears::Offset => {
                    if assigned.ledger.clear(at.offset) {
                        self.commits.mark(at.partition, assigned);
                    }
                }
                Clears::Row { stay, is_revived } => {
                    self.bury(at.partition, stay, at.offset, is_revived);
                }
                Clears::Nothing => {}
            }
        }
    }

    /// The rows of a partition are read again: what settled among them may be run again.
    pub(super) fn forget_rows(&mut self, partition: Partition) {
        for told in &mut self.steps.open {
            if told.at.partition == partition && matches!(told.clears, Clears::Row { .. }) {
                told.clears = Clears::Nothing;
            }
        }
    }
}
