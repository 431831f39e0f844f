//! Partitions are given back: asked for by the broker, or all at shutdown.
//!
//! Invariant: a revoke is answered once, when no handler of its partitions is live and their last commit has ended
//! or had its time.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Abort, Action, Pump,
    assigned::{Drain, DrainStage, Ownership},
    timers::Timer,
};
use crate::ids::{Assignment, Partition, RevokeNumber, Time};

/// How long a drain waits, beyond its budget, for acknowledgements, and again for its commit.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// Revokes without an answer: the partitions that each waits for, as they were assigned when it came.
pub(super) type Revokes = BTreeMap<RevokeNumber, BTreeMap<Partition, Assignment>>;

/// Whether the instance is leaving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stop {
    /// No.
    #[default]
    No,
    /// It drains.
    Asked,
    /// It said `Leave`.
    Left,
}

impl<R: Clone, X: Clone> Pump<R, X> {
    /// The broker wants partitions back.
    pub(super) fn revoke(&mut self, revoke: RevokeNumber, partitions: Vec<Partition>, now: Time) {
        let budget_at = now.plus(self.config.drain_budget);
        let mut awaited = BTreeMap::new();
        for partition in partitions {
            let current = self.partitions.get(&partition).map(|a| a.assignment);
            // Runs of a lost assignment may still be live: the answer waits for them as well.
            awaited.insert(partition, current.unwrap_or(Assignment(u64::MAX)));
            self.start_drain(partition, budget_at);
        }
        self.revokes.entry(revoke).or_default().append(&mut awaited);
    }

    /// The process wants to stop: everything is given back.
    pub(super) fn shut_down(&mut self, now: Time) {
        if self.stop != Stop::No {
            return;
        }
        self.stop = Stop::Asked;
        let budget_at = now.plus(self.config.shutdown_budget);
        let all: Vec<Partition> = self.partitions.keys().copied().collect();
        for partition in all {
            self.start_drain(partition, budget_at);
        }
    }

    /// No more of a partition is dispatched. Of two budgets the earlier one holds.
    fn start_drain(&mut self, partition: Partition, budget_at: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if let Some(drain) = &mut assigned.drain {
            drain.budget_at = drain.budget_at.min(budget_at);
            return;
        }
        assigned.drain = Some(Drain {
            budget_at,
            cut: false,
            stage: DrainStage::Runs,
        });
        if let Ownership::Refused { until, .. } = assigned.ownership {
            self.timers.remove(until, partition, Timer::Ownership);
            assigned.ownership = Ownership::Asked;
        }
        self.commits.calm(partition);
        self.draining.insert(partition);
    }

    /// Moves every drain on as far as it can go, and answers what is done.
    pub(super) fn advance_drains(&mut self, now: Time) {
        let draining: Vec<Partition> = self.draining.iter().copied().collect();
        for partition in draining {
            self.cut_drain(partition, now);
            if self.is_drained(partition, now) {
                self.drop_partition(partition);
            }
        }
        self.answer_revokes();
        let empty = self.partitions.is_empty() && self.orphans.is_empty();
        if self.stop == Stop::Asked && empty {
            self.stop = Stop::Left;
            self.actions.push(Action::Leave);
        }
    }

    /// At the end of the budget, handlers are dropped and writes abandoned.
    fn cut_drain(&mut self, partition: Partition, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let busy = assigned.running + assigned.writing > 0;
        if let Some(drain) = &mut assigned.drain
            && !drain.cut
            && busy
            && now >= drain.budget_at
        {
            drain.cut = true;
            self.abort_runs(partition, Abort::Drain);
            self.abandon_writes(partition);
        }
    }

    /// Whether nothing keeps a partition any longer.
    fn is_drained(&mut self, partition: Partition, now: Time) -> bool {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return false;
        };
        let busy = assigned.running + assigned.writing > 0;
        let Some(drain) = &mut assigned.drain else {
            return false;
        };
        let limit = drain.budget_at.max(now).plus(FAREWELL_MAX);
        if let DrainStage::Runs = drain.stage {
            if busy {
                return false;
            }
            drain.stage = DrainStage::Steps { until: limit };
        }
        if let DrainStage::Steps { until } = drain.stage {
            let owes = assigned.unacknowledged > 0 || assigned.outbox.owes_settlements();
            if owes && now < until {
                return false;
            }
            drain.stage = DrainStage::Commit {
                until: limit,
                ended: false,
            };
        }
        let DrainStage::Commit { until, ended } = drain.stage else {
            return false;
        };
        let clean = assigned.epoch.is_none() || !self.commits.is_dirty(partition);
        if ended || clean || now >= until {
            return true;
        }
        if !self.commits.says_farewell(partition) {
            self.commits.urge(partition, now);
        }
        false
    }

    fn answer_revokes(&mut self) {
        let mut revokes = std::mem::take(&mut self.revokes);
        revokes.retain(|&revoke, awaited| {
            awaited.retain(|&partition, &mut assignment| {
                let current = self.partitions.get(&partition);
                let held = current.is_some_and(|assigned| assigned.assignment == assignment);
                held || self.has_orphans(partition, assignment)
            });
            if awaited.is_empty() {
                self.actions.push(Action::LetGo(revoke));
            }
            !awaited.is_empty()
        });
        self.revokes = revokes;
    }

    /// When the next drain does something by itself.
    pub(super) fn next_drain(&self) -> Option<Time> {
        let drains = self.draining.iter().filter_map(|partition| {
            let drain = self.partitions.get(partition)?.drain.as_ref()?;
            match drain.stage {
                DrainStage::Runs if drain.cut => None,
                DrainStage::Runs => Some(drain.budget_at),
                DrainStage::Steps { until } | DrainStage::Commit { until, .. } => Some(until),
            }
        });
        drains.min()
    }
}
