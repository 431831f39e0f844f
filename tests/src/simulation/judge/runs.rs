//! Rules about runs: one per key, in offset order, ended before partitions are let go.

use std::collections::{BTreeMap, BTreeSet};

use argosy_kernel::{Assignment, At, Committed, Death, Epoch, LaneKey, Offset, Partition, RunEnd};

use super::{Judge, Rule};
use crate::simulation::{
    event::{InstanceId, Left},
    plan::RecordId,
};

/// A handler that runs.
#[derive(Clone, Debug)]
pub(super) struct LiveRun {
    at: At,
    record: RecordId,
    lane: LaneKey,
    alone: bool,
}

/// What an instance was given of a partition under one assignment, and what came of it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) assignment: Assignment,
    delivered: BTreeSet<Offset>,
    pub(super) settled: BTreeSet<Offset>,
    begins_at: Offset,
    /// A map was there to be read: some of what is delivered may be clear already.
    pub(super) map_was_there: bool,
    /// It was owned at least once under this assignment.
    pub(super) was_owned: bool,
    attempts: BTreeMap<Offset, u32>,
    last_begun: BTreeMap<LaneKey, Offset>,
    /// Of its last ownership.
    pub(super) epoch: Option<Epoch>,
}

impl Seen {
    pub(super) fn new(assignment: Assignment) -> Self {
        Self {
            assignment,
            delivered: BTreeSet::new(),
            settled: BTreeSet::new(),
            begins_at: Offset(0),
            map_was_there: false,
            was_owned: false,
            attempts: BTreeMap::new(),
            last_begun: BTreeMap::new(),
            epoch: None,
        }
    }

    /// The group's position is known: what lies below is clear.
    pub(super) fn begin_at(&mut self, committed: &Committed) {
        self.begins_at = self.begins_at.max(committed.offset);
        self.map_was_there |= !committed.metadata.is_empty();
        let begins_at = self.begins_at;
        self.delivered.retain(|offset| *offset >= begins_at);
    }

    pub(super) fn deliver(&mut self, offset: Offset) {
        if offset >= self.begins_at {
            self.delivered.insert(offset);
        }
    }

    pub(super) fn newest(&self) -> Option<Offset> {
        self.delivered.last().copied()
    }

    /// The store was read: what waits there runs again, though it settled here.
    pub(super) fn read_again(&mut self, rows: &[Offset]) {
        for row in rows {
            self.settled.remove(row);
        }
        self.last_begun.clear();
    }

    /// A record comes out of the store, with the attempts that it spent before.
    ///
    /// If another took the partition meanwhile, it may have parked what had settled here.
    pub(super) fn load(&mut self, offset: Offset, attempts: u32, is_fenced: bool) {
        if is_fenced {
            self.settled.remove(&offset);
        }
        let known = self.attempts.entry(offset).or_default();
        *known = (*known).max(attempts);
    }

    /// Delivered and not settled.
    pub(super) fn open(&self) -> usize {
        self.delivered.difference(&self.settled).count()
    }

    /// Ends that may have counted as attempts.
    pub(super) fn attempts(&self, offset: Offset) -> u32 {
        self.attempts.get(&offset).copied().unwrap_or(0)
    }
}

impl Judge {
    /// A handler starts; `owned` says whether the group agrees, `alone` whether nothing may run beside it.
    pub(crate) fn begins(
        &mut self,
        id: InstanceId,
        at: At,
        record: RecordId,
        (owned, alone): (bool, bool),
    ) {
        let lane = self.lanes.key(record, at.offset);
        self.check_alone(id, at, &lane);
        if owned {
            self.check_order(at, record, &lane);
            self.check_held_back(id, at, &lane);
        }
        self.check_progress(id, at, record, &lane);
        let live = self.live.entry(id).or_default();
        let beside = live.iter().find(|run| run.alone || alone).map(|run| run.at);
        live.push(LiveRun {
            at,
            record,
            lane,
            alone,
        });
        let count = live.len();
        if let Some(beside) = beside {
            self.rule(Rule::SuspectsRunAlone, || {
                format!("instance {} starts {at:?} beside {beside:?}", id.0)
            });
        }
        if count > self.config.running_max {
            self.rule(Rule::BudgetsHold, || {
                format!("{count} runs are live in instance {}", id.0)
            });
        }
    }

    /// Among the owners only this instance can run the lane: everybody else let go first, or lost it.
    fn check_alone(&mut self, id: InstanceId, at: At, lane: &LaneKey) {
        let twin = self.live_of(id, at.partition, lane);
        if let Some(twin) = twin {
            self.rule(Rule::OneLiveRunPerKey, || {
                format!("instance {} starts {at:?} while {twin:?} is live", id.0)
            });
        }
    }

    /// The live run of a lane in an instance.
    pub(super) fn live_of(
        &self,
        id: InstanceId,
        partition: Partition,
        lane: &LaneKey,
    ) -> Option<At> {
        let mut live = self.live.get(&id)?.iter();
        let found = live.find(|run| run.at.partition == partition && run.lane == *lane);
        found.map(|run| run.at)
    }

    fn check_order(&mut self, at: At, record: RecordId, lane: &LaneKey) {
        let before = self
            .lanes
            .first_unsettled_before(record, at.partition, lane, &self.records);
        if let Some(before) = before {
            self.rule(Rule::OffsetsIncrease, || {
                format!("{at:?} starts before record {} has ended well", before.0)
            });
        }
    }

    fn check_progress(&mut self, id: InstanceId, at: At, record: RecordId, lane: &LaneKey) {
        let Some(seen) = self.seen.get_mut(&(id, at.partition)) else {
            return;
        };
        if seen.assignment != at.assignment {
            return;
        }
        let last = seen.last_begun.insert(lane.clone(), at.offset);
        // What had ended well, unknown to this owner, may come again behind what was parked after it.
        let is_again = self.records[record.index()].may_be_followed();
        if let Some(last) = last.filter(|last| *last > at.offset && !is_again) {
            self.rule(Rule::OffsetsIncrease, || {
                format!("{at:?} starts after offset {} of its lane", last.0)
            });
        }
    }

    /// A handler has ended.
    pub(crate) fn ends(&mut self, id: InstanceId, at: At, end: &RunEnd<Left>) {
        let live = self.live.entry(id).or_default();
        let Some(position) = live.iter().position(|run| run.at == at) else {
            return;
        };
        let LiveRun { record, lane, .. } = live.swap_remove(position);
        if matches!(end, RunEnd::Done { emits: None } | RunEnd::Skipped(_)) {
            self.records[record.index()].handled = true;
            self.replay_ends_well(id, at, lane);
        }
        let may_count = matches!(
            end,
            RunEnd::Failed { .. } | RunEnd::Dropped { in_call: false, .. }
        );
        if may_count
            && let Some(seen) = self.seen.get_mut(&(id, at.partition))
            && seen.assignment == at.assignment
        {
            *seen.attempts.entry(at.offset).or_default() += 1;
        }
    }

    /// Attempts were spent only if so many runs ended that way.
    pub(super) fn check_attempts(&mut self, id: InstanceId, at: At, cause: Death, attempts: u32) {
        let Some(seen) = self.seen.get(&(id, at.partition)) else {
            return;
        };
        if seen.assignment != at.assignment {
            return;
        }
        let most = seen.attempts(at.offset) + 1;
        let spent = matches!(cause, Death::Attempts | Death::Panicked | Death::Deadline);
        let enough = !spent || (attempts >= self.config.retry.attempts_max && most > attempts);
        // A death of the process is none of this instance's attempts.
        let too_many = attempts > most && cause != Death::Crashed;
        if too_many || !enough {
            self.rule(Rule::DeathsAreDeserved, || {
                format!(
                    "{at:?} is dead of {cause} after {attempts} attempts, seen were {}",
                    most - 1
                )
            });
        }
    }

    /// Partitions are let go.
    pub(crate) fn lets_go(&mut self, id: InstanceId, partitions: &[Partition]) {
        self.check_no_live_run(id, partitions);
        self.forget(id, partitions);
    }

    fn check_no_live_run(&mut self, id: InstanceId, partitions: &[Partition]) {
        let live = self.live.get(&id).and_then(|live| {
            live.iter()
                .find(|run| partitions.contains(&run.at.partition))
                .map(|run| run.at)
        });
        if let Some(at) = live {
            self.rule(Rule::LetGoAfterHandlers, || {
                format!("instance {} lets go while {at:?} is live", id.0)
            });
        }
    }

    /// The instance leaves the group.
    pub(crate) fn leaves(&mut self, id: InstanceId) {
        let all: Vec<Partition> = self.partitions.keys().copied().collect();
        self.check_no_live_run(id, &all);
        self.dies(id);
    }

    /// The instance is no more, and its handlers with it.
    pub(crate) fn dies(&mut self, id: InstanceId) {
        self.live.remove(&id);
        self.seen.retain(|(of, _), _| *of != id);
    }
}
