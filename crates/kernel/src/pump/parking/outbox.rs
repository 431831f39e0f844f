//! What is to be written to a partition's parked rows, and the write that is out.
//!
//! Invariant: one write at a time, so rows of a key are added in offset order; what fails goes first the next time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Hold, Look, ParkNumber, StayIndex, replay::Wanted};
use crate::{
    ids::{LaneKey, Offset, PlanStepNumber, Time},
    pump::lane::Queued,
};

/// What a partition has to write.
#[derive(Debug)]
pub(in crate::pump) struct Outbox<R> {
    pub(super) entering: VecDeque<(StayIndex, Queued<R>)>,
    pub(super) changes: Changes,
    /// Replays that wait for their lanes.
    pub(super) wanted: Vec<Wanted>,
    /// Rows that are kept only until the group's position has passed them.
    pub(in crate::pump) tombstones: BTreeSet<Offset>,
    pub(super) out: Option<Out<R>>,
    /// Its entry in the pump's timers, after a write that failed.
    pub(in crate::pump) retry_at: Option<Time>,
}

/// The write that is out.
#[derive(Debug)]
pub(super) struct Out<R> {
    pub(super) park: ParkNumber,
    pub(super) entering: Vec<(StayIndex, Queued<R>)>,
    pub(super) changes: Changes,
    pub(super) passed: Option<Offset>,
}

/// What is to be written beside records.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) looks: BTreeMap<StayIndex, Look>,
    pub(super) settled: Vec<Settled>,
    pub(super) holds: Vec<Hold>,
    pub(super) released: Vec<LaneKey>,
    pub(super) replays: Vec<(StayIndex, Wanted)>,
    pub(super) ended: Vec<PlanStepNumber>,
}

/// A row that settled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) stay: StayIndex,
    pub(super) offset: Offset,
    /// It was dead before.
    pub(super) is_revived: bool,
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            looks,
            settled,
            holds,
            released,
            replays,
            ended,
        } = self;
        looks.is_empty()
            && settled.is_empty()
            && holds.is_empty()
            && released.is_empty()
            && replays.is_empty()
            && ended.is_empty()
    }

    /// Those of a write that failed go first the next time; of two looks, and of a key's release and a later hold, the
    /// newer one counts.
    pub(super) fn put_back(&mut self, older: Self) {
        let newer = std::mem::replace(self, older);
        self.released
            .retain(|key| !newer.holds.iter().any(|hold| hold.key == *key));
        self.looks.extend(newer.looks);
        self.settled.extend(newer.settled);
        self.holds.extend(newer.holds);
        self.released.extend(newer.released);
        self.replays.extend(newer.replays);
        self.ended.extend(newer.ended);
    }
}

impl<R> Default for Outbox<R> {
    fn default() -> Self {
        Self {
            entering: VecDeque::new(),
            changes: Changes::default(),
            wanted: Vec::new(),
            tombstones: BTreeSet::new(),
            out: None,
            retry_at: None,
        }
    }
}

impl<R> Outbox<R> {
    /// What is new about the head of a parked lane.
    pub(super) fn look(&mut self, stay: StayIndex, look: Look) {
        self.changes.looks.insert(stay, look);
    }

    /// A row's settlement is told: it becomes a tombstone.
    pub(super) fn bury(&mut self, stay: StayIndex, offset: Offset, is_revived: bool) {
        self.changes.settled.push(Settled {
            stay,
            offset,
            is_revived,
        });
    }

    /// A key is to be held.
    pub(super) fn hold(&mut self, key: LaneKey, offset: Offset) {
        self.changes.released.retain(|released| *released != key);
        self.changes.holds.push(Hold { key, offset });
    }

    /// A key is held no longer.
    pub(super) fn release(&mut self, key: LaneKey) {
        self.changes.released.push(key);
    }

    /// A dead record is to become a row again.
    pub(super) fn replay(&mut self, stay: StayIndex, wanted: Wanted) {
        self.changes.replays.push((stay, wanted));
    }

    /// A plan step is carried out.
    pub(super) fn end_step(&mut self, number: PlanStepNumber) {
        self.changes.ended.push(number);
    }

    /// What is to be written, and what is being written.
    fn all(&self) -> impl Iterator<Item = &Changes> {
        let out = self.out.as_ref().map(|out| &out.changes);
        std::iter::once(&self.changes).chain(out)
    }

    /// Whether a plan step is under way.
    pub(super) fn knows(&self, number: PlanStepNumber) -> bool {
        let is = |wanted: &Wanted| wanted.replay.number == number;
        self.wanted.iter().any(is)
            || self.all().any(|changes| {
                changes.ended.contains(&number)
                    || changes.replays.iter().any(|(_, wanted)| is(wanted))
            })
    }

    /// Whether a hold of this key is not known to be durable.
    pub(super) fn holds(&self, key: &LaneKey) -> bool {
        let mut holds = self.all().flat_map(|changes| &changes.holds);
        holds.any(|hold| hold.key == *key)
    }

    /// Whether a hold of this key may have ended already.
    pub(super) fn releases(&self, key: &LaneKey) -> bool {
        self.all().any(|changes| changes.released.contains(key))
    }

    /// Whether any hold is not known to be durable.
    pub(super) fn has_holds(&self) -> bool {
        self.all().any(|changes| !changes.holds.is_empty())
    }

    /// The records of holds that are not written yet are not settled by them: they run anew, here or elsewhere.
    pub(in crate::pump) fn give_up_holds(&mut self) {
        self.changes.holds.clear();
    }

    /// Settlements that the store has not heard of.
    pub(in crate::pump) fn owes_settlements(&self) -> bool {
        self.all().any(|changes| !changes.settled.is_empty())
    }

    /// Takes out the records on their way in, in the order in which they came, and forgets the rest.
    pub(super) fn take_entering(&mut self) -> Vec<(StayIndex, Queued<R>)> {
        let out = self.out.take().map(|out| out.entering).unwrap_or_default();
        self.changes = Changes::default();
        self.wanted.clear();
        out.into_iter().chain(self.entering.drain(..)).collect()
    }

    pub(super) fn put_back(&mut self, out: Out<R>) {
        for record in out.entering.into_iter().rev() {
            self.entering.push_front(record);
        }
        self.changes.put_back(out.changes);
    }
}
