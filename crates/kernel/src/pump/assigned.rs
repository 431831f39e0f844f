//! One partition under one assignment: its owner, ledger, lanes, budgets and how it ends.

use std::collections::{BTreeMap, VecDeque};

use super::{
    alone::Suspects,
    api::At,
    lane::{Queued, State},
    lanes::{LaneIndex, Lanes},
    parking::{Convoys, Outbox, Stays},
    timers::{Timer, Timers},
};
use crate::{
    cause::Waiting,
    ids::{Assignment, Epoch, Offset, Partition, Time},
    ledger::Ledger,
};

/// Who owns the partition by the store.
#[derive(Clone, Debug)]
pub(super) enum Ownership {
    /// Asked for, not answered.
    Asked,
    /// Could not be taken; asked again then.
    Refused { cause: Waiting, until: Time },
    /// Ours.
    Owned(Epoch),
    /// A claim was refused by its epoch: a commit must prove that the partition is still assigned to us.
    Fenced,
}

/// A partition on its way out.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    /// When its handlers have had their time.
    pub(super) budget_at: Time,
    /// That time has come, and they were told.
    pub(super) cut: bool,
    pub(super) stage: DrainStage,
}

/// What a drain waits for, in this order.
#[derive(Clone, Debug)]
pub(super) enum DrainStage {
    /// Runs, publishes and dead letters.
    Runs,
    /// Acknowledgements of its settlements.
    Steps { until: Time },
    /// A commit that began after all that.
    Commit { until: Time, ended: bool },
}

/// What a partition holds that is not settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Records.
    pub records: usize,
    /// Their size in memory.
    pub bytes: usize,
}

/// A skipped record that arrived before it could settle.
#[derive(Debug)]
pub(super) struct SkipQueued<R> {
    pub(super) record: Queued<R>,
    pub(super) reason: &'static str,
}

/// The partition.
#[derive(Debug)]
pub(super) struct Assigned<R, X> {
    pub(super) assignment: Assignment,
    pub(super) ownership: Ownership,
    /// The last epoch that was ours under this assignment: once there is one, the committed position is known.
    pub(super) epoch: Option<Epoch>,
    pub(super) drain: Option<Drain>,
    /// Nothing runs until every older run of the partition has answered.
    pub(super) quiescing: bool,
    pub(super) ledger: Ledger,
    pub(super) lanes: Lanes<R, X>,
    /// Keys whose records wait in the store.
    pub(super) stays: Stays,
    pub(super) convoys: Convoys,
    /// Their entry in the pump's timers.
    pub(super) convoy_timer: Option<Time>,
    /// What is to be written to the parked rows.
    pub(super) outbox: Outbox<R>,
    /// Records that were running when a process died.
    pub(super) suspects: Suspects,
    /// Lanes whose head is running, being published, dead-lettered or held, by that head.
    pub(super) busy: BTreeMap<Offset, LaneIndex>,
    pub(super) skips: VecDeque<SkipQueued<R>>,
    pub(super) held: Held,
    pub(super) intake_held: bool,
    pub(super) running: usize,
    /// Lanes being published, dead-lettered or held.
    pub(super) writing: usize,
    /// Settlements whose step is not acknowledged.
    pub(super) unacknowledged: usize,
    /// It stands in the line for dispatch.
    pub(super) in_turn: bool,
    /// Counts changes of what a commit would say.
    pub(super) revision: u64,
    /// What the group has accepted.
    pub(super) accepted: Option<(Offset, Option<String>)>,
    pub(super) metadata_bytes_max: usize,
    /// The last commit's map was refused for its size: the next goes without.
    pub(super) map_refused: bool,
}

impl<R, X> Assigned<R, X> {
    pub(super) fn new(assignment: Assignment, metadata_bytes_max: usize) -> Self {
        Self {
            assignment,
            ownership: Ownership::Asked,
            epoch: None,
            drain: None,
            quiescing: false,
            ledger: Ledger::new(),
            lanes: Lanes::new(),
            stays: Stays::default(),
            convoys: Convoys::default(),
            convoy_timer: None,
            outbox: Outbox::default(),
            suspects: Suspects::default(),
            busy: BTreeMap::new(),
            skips: VecDeque::new(),
            held: Held::default(),
            intake_held: false,
            running: 0,
            writing: 0,
            unacknowledged: 0,
            in_turn: false,
            revision: 0,
            accepted: None,
            metadata_bytes_max,
            map_refused: false,
        }
    }

    /// The epoch under which records may be dispatched, if they may.
    pub(super) fn open_epoch(&self) -> Option<Epoch> {
        match self.ownership {
            Ownership::Owned(epoch) if self.drain.is_none() && !self.quiescing => Some(epoch),
            _ => None,
        }
    }

    /// Whether its parked rows may be changed, but for settlements.
    pub(super) fn may_store(&self) -> bool {
        self.drain.is_none() && matches!(self.ownership, Ownership::Owned(_))
    }

    /// Takes everything that would wake its parked lanes out of the timers.
    pub(super) fn forget_stay_timers(&mut self, timers: &mut Timers, partition: Partition) {
        for (index, stay) in self.stays.iter() {
            if let Some(due) = stay.timer {
                timers.remove(due, partition, Timer::Stay(index));
            }
        }
        if let Some(due) = self.convoy_timer.take() {
            timers.remove(due, partition, Timer::Convoys);
        }
        if let Some(due) = self.outbox.retry_at.take() {
            timers.remove(due, partition, Timer::Park);
        }
    }

    /// The drain budget is spent: nothing new may begin, not even a write.
    pub(super) fn is_cut(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.cut)
    }

    /// The lane whose head this is, if it is busy under this assignment.
    pub(super) fn busy_lane(&self, at: At) -> Option<LaneIndex> {
        let same = self.assignment == at.assignment;
        self.busy.get(&at.offset).copied().filter(|_| same)
    }

    /// The lanes that run now, by offset of their head.
    pub(super) fn running_lanes(&self) -> Vec<(Offset, LaneIndex)> {
        let busy = self.busy.iter().map(|(&offset, &index)| (offset, index));
        busy.filter(|&(_, index)| matches!(self.lanes.lane(index).state, State::Running { .. }))
            .collect()
    }

    /// Sets, moves or clears a lane's timer.
    pub(super) fn set_timer(
        &mut self,
        timers: &mut Timers,
        partition: Partition,
        index: LaneIndex,
        due: Option<Time>,
    ) {
        let lane = self.lanes.lane_mut(index);
        if let Some(old) = lane.timer {
            timers.remove(old, partition, Timer::Lane(index));
        }
        if let Some(due) = due {
            timers.add(due, partition, Timer::Lane(index));
        }
        lane.timer = due;
    }
}
