//! Partitions come, are owned, fenced and lost.
//!
//! Invariant: nothing of a partition runs before its owner row is ours and every older run of it has answered, nor
//! what the group has committed by the time that row is taken.

use std::collections::{BTreeSet, VecDeque};

use super::{
    Abort, Action, At, Committed, Pump,
    assigned::{Assigned, Ownership},
    drain::Stop,
    lane::State,
    parking::ParkedState,
    timers::Timer,
};
use crate::{
    cause::Waiting,
    ids::{Assignment, Epoch, Offset, Partition, Time},
    ledger::{Map, MapIdentity},
};

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Takes an assignment; at shutdown nothing more is taken.
    pub(super) fn assign(&mut self, assignment: Assignment, partitions: Vec<Partition>) {
        if self.stop != Stop::No {
            return;
        }
        for partition in partitions {
            let current = self.partitions.get(&partition);
            if current.is_some_and(|assigned| assigned.assignment >= assignment) {
                continue;
            }
            self.orphan(partition);
            let mut assigned = Assigned::new(assignment, self.config.metadata_bytes_max);
            assigned.quiescing = self.has_orphans(partition, assignment);
            self.partitions.insert(partition, assigned);
            self.actions.push(Action::TakeOwner {
                partition,
                assignment,
            });
        }
    }

    /// The owner row is ours.
    pub(super) fn own(
        &mut self,
        partition: Partition,
        assignment: Assignment,
        epoch: Epoch,
        committed: Option<Committed>,
        parked: ParkedState,
        now: Time,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let outdated = assigned.assignment != assignment
            || assigned.epoch.is_some_and(|known| epoch <= known)
            || assigned.drain.is_some();
        if outdated {
            return;
        }
        match assigned.ownership {
            Ownership::Asked => {}
            Ownership::Refused { until, .. } => {
                self.timers.remove(until, partition, Timer::Ownership);
            }
            Ownership::Owned(_) | Ownership::Fenced => return,
        }
        assigned.ownership = Ownership::Owned(epoch);
        let first = assigned.epoch.replace(epoch).is_none();
        if !first {
            self.forget_parked(partition);
        }
        let rows: BTreeSet<Offset> = parked.offsets.iter().copied().collect();
        if let Some(assigned) = self.partitions.get_mut(&partition) {
            let cleared = assigned.ledger.cleared();
            // Settled ones among them go once the group has passed them; those that wait stay whatever it passes.
            assigned.outbox.tombstones = rows.clone();
            assigned.ledger.store_has(parked.offsets);
            if assigned.ledger.cleared() > cleared {
                self.commits.mark(partition, assigned);
            }
        }
        let position = committed.as_ref().map(|committed| committed.offset);
        match committed {
            Some(committed) if first => self.restore(partition, committed),
            Some(committed) => self.catch_up(partition, committed),
            None => {}
        }
        self.discard_clear(partition);
        self.suspect(partition, parked.suspects, position, &rows, now);
        self.find_parked(partition, parked.lanes, now);
        self.open(partition);
    }

    /// The partition is taken again. A position that its ledger cannot have reached was committed by another member:
    /// since the proof that it was still ours it was another's, and may be still. What lies below is clear, whoever
    /// cleared it; what was begun here counts no more, and what is left begins anew.
    fn catch_up(&mut self, partition: Partition, committed: Committed) {
        let frontier = self.frontier(partition);
        if frontier.is_some_and(|frontier| committed.offset <= frontier) {
            return;
        }
        self.abort_runs(partition, Abort::Lost);
        self.disown_runs(partition);
        self.abandon_writes(partition);
        self.restore(partition, committed);
    }

    /// What runs is remembered until it answers, and its lanes are free.
    pub(super) fn disown_runs(&mut self, partition: Partition) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let running = assigned.running_lanes();
        self.orphans.extend(runs_of(partition, assigned));
        for (offset, index) in running {
            assigned.set_timer(&mut self.timers, partition, index, None);
            assigned.busy.remove(&offset);
            assigned.lanes.line_up(index);
        }
        assigned.running = 0;
        let assignment = assigned.assignment;
        let quiescing = self.has_orphans(partition, assignment);
        if let Some(assigned) = self.partitions.get_mut(&partition) {
            assigned.quiescing = quiescing;
        }
    }

    /// Goes on from the group's committed position.
    fn restore(&mut self, partition: Partition, committed: Committed) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Committed { offset, metadata } = committed;
        let map = match metadata.as_str() {
            "" => None,
            text => {
                let identity = map_identity(&self.config, partition);
                let bytes_max = self.config.metadata_bytes_max;
                match Map::decode(text, identity, offset, bytes_max) {
                    Ok(map) => Some(map),
                    Err(reason) => {
                        self.actions.push(Action::MapIgnored { partition, reason });
                        None
                    }
                }
            }
        };
        let cleared = assigned.ledger.cleared();
        assigned.ledger.start(offset, map);
        assigned.accepted = Some((offset, Some(metadata).filter(|text| !text.is_empty())));
        if assigned.ledger.cleared() > cleared {
            self.commits.mark(partition, assigned);
        }
    }

    /// The owner row could not be taken: asked again later, and the cause stays visible meanwhile.
    pub(super) fn refuse(
        &mut self,
        partition: Partition,
        assignment: Assignment,
        cause: Waiting,
        now: Time,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let asked = matches!(assigned.ownership, Ownership::Asked);
        if !asked || assigned.assignment != assignment || assigned.drain.is_some() {
            return;
        }
        let until = now.plus(self.config.write_retry);
        assigned.ownership = Ownership::Refused { cause, until };
        self.timers.add(until, partition, Timer::Ownership);
    }

    /// Asks for the owner row, again.
    pub(super) fn ask_owner(&mut self, partition: Partition) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        assigned.ownership = Ownership::Asked;
        self.actions.push(Action::TakeOwner {
            partition,
            assignment: assigned.assignment,
        });
    }

    /// A claim was refused by its epoch. Only the broker can say whether the partition is still ours: a commit asks.
    pub(super) fn fence(&mut self, partition: Partition, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if assigned.drain.is_some() || !matches!(assigned.ownership, Ownership::Owned(_)) {
            return;
        }
        assigned.ownership = Ownership::Fenced;
        assigned.quiescing = assigned.running > 0;
        self.commits.urge(partition, now);
        self.abort_runs(partition, Abort::Lost);
    }

    /// Tells every run of a partition to stop that was not told yet.
    pub(super) fn abort_runs(&mut self, partition: Partition, why: Abort) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        for (offset, index) in assigned.running_lanes() {
            let lane = assigned.lanes.lane_mut(index);
            if let State::Running { abort, .. } = &mut lane.state
                && abort.is_none()
            {
                *abort = Some(why);
                let at = At {
                    partition,
                    assignment: assigned.assignment,
                    offset,
                };
                self.actions.push(Action::Abort { at, why });
            }
        }
    }

    /// Partitions are gone against our will: nothing of them counts any more.
    pub(super) fn lose(&mut self, partitions: Vec<Partition>) {
        for partition in partitions {
            self.orphan(partition);
        }
    }

    /// Drops a partition; its live runs are aborted, and remembered until they answer.
    fn orphan(&mut self, partition: Partition) {
        self.abort_runs(partition, Abort::Lost);
        let Some(assigned) = self.drop_partition(partition) else {
            return;
        };
        self.orphans.extend(runs_of(partition, &assigned));
    }

    /// Forgets a partition and everything that would wake for it.
    pub(super) fn drop_partition(&mut self, partition: Partition) -> Option<Assigned<R, X>> {
        let mut assigned = self.partitions.remove(&partition)?;
        for (index, lane) in assigned.lanes.iter() {
            if let Some(due) = lane.timer {
                self.timers.remove(due, partition, Timer::Lane(index));
            }
        }
        if let Ownership::Refused { until, .. } = assigned.ownership {
            self.timers.remove(until, partition, Timer::Ownership);
        }
        assigned.forget_stay_timers(&mut self.timers, partition);
        self.parking_dirty.remove(&partition);
        self.parking_full.remove(&partition);
        self.make_room();
        self.commits.forget(partition);
        self.draining.remove(&partition);
        self.turn.retain(|&waiting| waiting != partition);
        Some(assigned)
    }

    /// Whether runs of this or an older assignment have not answered yet.
    pub(super) fn has_orphans(&self, partition: Partition, assignment: Assignment) -> bool {
        let at = |assignment, offset| At {
            partition,
            assignment,
            offset,
        };
        let first = at(Assignment(0), Offset(i64::MIN));
        let last = at(assignment, Offset(i64::MAX));
        self.orphans.range(first..=last).next().is_some()
    }

    /// Lets a partition dispatch again if its last older run has answered.
    pub(super) fn end_quiescing(&mut self, partition: Partition) {
        let orphans = self.has_orphans(partition, Assignment(u64::MAX));
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if assigned.quiescing && assigned.running == 0 && !orphans {
            assigned.quiescing = false;
            self.parking_dirty.insert(partition);
            self.open(partition);
        }
    }
}

/// The live runs of a partition, each with what was handed over after it.
fn runs_of<R, X>(
    partition: Partition,
    assigned: &Assigned<R, X>,
) -> impl Iterator<Item = (At, VecDeque<Offset>)> {
    let running = assigned.running_lanes().into_iter();
    running.filter_map(move |(offset, index)| {
        let lane = assigned.lanes.lane(index);
        let State::Running { handed, .. } = lane.state else {
            return None;
        };
        let at = At {
            partition,
            assignment: assigned.assignment,
            offset,
        };
        let rest = lane.queue.iter().take(handed).skip(1);
        Some((at, rest.map(|record| record.offset).collect()))
    })
}

/// Whose maps a partition takes and writes.
pub(super) fn map_identity(config: &super::PumpConfig, partition: Partition) -> MapIdentity<'_> {
    let topic = config.topics.get(usize::from(partition.topic.0));
    MapIdentity {
        group: &config.group,
        topic: topic.map_or("", String::as_str),
        partition: partition.number,
    }
}
