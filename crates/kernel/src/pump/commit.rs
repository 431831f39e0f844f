//! Frontiers and maps are committed: when something changed, one commit at a time, never backwards.
//!
//! Invariant: what a commit says was clear when it was made; only its acceptance makes a partition clean, and only
//! if nothing changed meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    Action, CommitResult, Pump,
    assigned::{Assigned, DrainStage, Ownership},
    ownership::map_identity,
};
use crate::{
    ids::{Assignment, CommitNumber, Offset, Partition, Time},
    ledger::Map,
};

/// What is to be committed, and the commit that is out.
#[derive(Debug)]
pub(super) struct Commits {
    last: CommitNumber,
    sent_at: Option<Time>,
    out: Option<Out>,
    /// Partitions whose frontier or map changed since they were accepted.
    dirty: BTreeSet<Partition>,
    /// Partitions that do not wait for the next round, and since when they need not.
    urgent: BTreeMap<Partition, Time>,
}

#[derive(Debug)]
struct Out {
    commit: CommitNumber,
    since: Time,
    sent: BTreeMap<Partition, Sent>,
}

#[derive(Debug)]
struct Sent {
    assignment: Assignment,
    revision: u64,
    offset: Offset,
    metadata: Option<String>,
    purpose: Purpose,
}

/// What waits for a partition's commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Nothing.
    Progress,
    /// A fenced partition, which must know whether it is still ours.
    Proof,
    /// A drained partition, which is then let go.
    Farewell,
}

impl Default for Commits {
    fn default() -> Self {
        Self {
            last: CommitNumber(0),
            sent_at: None,
            out: None,
            dirty: BTreeSet::new(),
            urgent: BTreeMap::new(),
        }
    }
}

impl Commits {
    /// A partition has something new to say.
    pub(super) fn mark<R, X>(&mut self, partition: Partition, assigned: &mut Assigned<R, X>) {
        assigned.revision += 1;
        self.dirty.insert(partition);
    }

    /// A partition is to be committed as soon as that.
    pub(super) fn urge(&mut self, partition: Partition, since: Time) {
        self.urgent.entry(partition).or_insert(since);
    }

    pub(super) fn is_dirty(&self, partition: Partition) -> bool {
        self.dirty.contains(&partition)
    }

    /// Whether the commit that is out is a partition's last.
    pub(super) fn says_farewell(&self, partition: Partition) -> bool {
        let sent = self.out.as_ref().and_then(|out| out.sent.get(&partition));
        sent.is_some_and(|sent| sent.purpose == Purpose::Farewell)
    }

    pub(super) fn forget(&mut self, partition: Partition) {
        self.dirty.remove(&partition);
        self.urgent.remove(&partition);
    }

    pub(super) fn calm(&mut self, partition: Partition) {
        self.urgent.remove(&partition);
    }

    /// When the next commit is due, or the one that is out counts as failed.
    pub(super) fn next(&self, every: Duration, timeout: Duration) -> Option<Time> {
        if let Some(out) = &self.out {
            return Some(out.since.plus(timeout));
        }
        let regular = match self.sent_at {
            _ if self.dirty.is_empty() => None,
            Some(sent_at) => Some(sent_at.plus(every)),
            None => Some(Time::default()),
        };
        regular
            .into_iter()
            .chain(self.urgent.values().copied())
            .min()
    }
}

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Commits what is due, unless a commit is out.
    pub(super) fn commit(&mut self, now: Time) {
        let due = self
            .commits
            .next(self.config.commit_every, self.config.commit_timeout);
        if self.commits.out.is_some() || due.is_none_or(|due| due > now) {
            return;
        }
        let urgent = self
            .commits
            .urgent
            .iter()
            .filter(|&(_, &since)| since <= now);
        let wanted: BTreeSet<Partition> = urgent
            .map(|(&partition, _)| partition)
            .chain(self.commits.dirty.iter().copied())
            .collect();
        let mut sent = BTreeMap::new();
        for partition in wanted {
            self.relieve_if_crowded(partition, now);
            self.commits.urgent.remove(&partition);
            if let Some(position) = self.position(partition) {
                sent.insert(partition, position);
            } else {
                self.commits.dirty.remove(&partition);
            }
        }
        if sent.is_empty() {
            return;
        }
        let commit = CommitNumber(self.commits.last.0 + 1);
        let positions = sent.iter();
        let offsets = positions
            .map(|(&partition, sent)| (partition, sent.offset, sent.metadata.clone()))
            .collect();
        self.actions.push(Action::Commit { commit, offsets });
        self.commits.last = commit;
        self.commits.sent_at = Some(now);
        self.commits.out = Some(Out {
            commit,
            since: now,
            sent,
        });
    }

    /// A map that will soon be too long for a commit: the lanes that make it long go to the store.
    fn relieve_if_crowded(&mut self, partition: Partition, now: Time) {
        let Some(assigned) = self.partitions.get(&partition) else {
            return;
        };
        let ranges_max = Map::ranges_max(assigned.metadata_bytes_max) / 2;
        if self.config.parking.is_some() && assigned.ledger.is_crowded(ranges_max) {
            self.relieve(partition, now);
        }
    }

    /// What to commit for a partition; `None` if the group knows it already or it is not ours to commit.
    fn position(&mut self, partition: Partition) -> Option<Sent> {
        let assigned = self.partitions.get_mut(&partition)?;
        assigned.epoch?;
        let purpose = match (&assigned.drain, &assigned.ownership) {
            (Some(drain), _) => match drain.stage {
                DrainStage::Commit { .. } => Purpose::Farewell,
                DrainStage::Runs | DrainStage::Steps { .. } => Purpose::Progress,
            },
            (None, Ownership::Fenced) => Purpose::Proof,
            (None, _) => Purpose::Progress,
        };
        let offset = assigned.ledger.frontier()?;
        let bytes_max = assigned.metadata_bytes_max;
        let map = match std::mem::take(&mut assigned.map_refused) {
            true => None,
            false => assigned.ledger.map(Map::ranges_max(bytes_max)),
        };
        let identity = map_identity(&self.config, partition);
        let metadata = map.and_then(|map| map.encode(identity, bytes_max));
        let (offset, metadata) = match &assigned.accepted {
            // Never backwards; a proof repeats what was accepted.
            Some(accepted) if offset <= accepted.0 => {
                let same = offset < accepted.0 || metadata == accepted.1;
                if same && purpose != Purpose::Proof {
                    return None;
                }
                (accepted.0, if same { accepted.1.clone() } else { metadata })
            }
            _ => (offset, metadata),
        };
        Some(Sent {
            assignment: assigned.assignment,
            revision: assigned.revision,
            offset,
            metadata,
            purpose,
        })
    }

    /// A commit that is out for too long counts as failed.
    pub(super) fn expire_commit(&mut self, now: Time) {
        let timeout = self.config.commit_timeout;
        if let Some(out) = &self.commits.out
            && now >= out.since.plus(timeout)
        {
            self.commit_ended(out.commit, &[], now);
        }
    }

    /// Takes the results of the commit that is out; a partition without one counts as failed.
    pub(super) fn commit_ended(
        &mut self,
        commit: CommitNumber,
        results: &[(Partition, CommitResult)],
        now: Time,
    ) {
        let Some(out) = self.commits.out.take_if(|out| out.commit == commit) else {
            return;
        };
        let results: BTreeMap<_, _> = results.iter().copied().collect();
        for (partition, sent) in out.sent {
            let result = results.get(&partition).copied();
            let result = result.unwrap_or(CommitResult::Failed);
            self.position_ended(partition, sent, result, now);
        }
    }

    fn position_ended(
        &mut self,
        partition: Partition,
        sent: Sent,
        result: CommitResult,
        now: Time,
    ) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        if assigned.assignment != sent.assignment {
            return;
        }
        let draining = assigned.drain.is_some();
        if let (CommitResult::MetadataTooLarge, Some(metadata)) = (result, &sent.metadata) {
            assigned.metadata_bytes_max = metadata.len().saturating_sub(1);
            assigned.map_refused = true;
            self.commits.urge(partition, now);
            return;
        }
        let accepted = result == CommitResult::Accepted;
        if accepted {
            self.parking_dirty.insert(partition);
            assigned.accepted = Some((sent.offset, sent.metadata));
            if assigned.revision == sent.revision {
                self.commits.dirty.remove(&partition);
            }
        }
        match sent.purpose {
            Purpose::Progress => {}
            Purpose::Proof if draining => {}
            Purpose::Proof if accepted => self.ask_owner(partition),
            Purpose::Proof => self
                .commits
                .urge(partition, now.plus(self.config.commit_every)),
            Purpose::Farewell => {
                if let Some(drain) = &mut assigned.drain
                    && let DrainStage::Commit { ended, .. } = &mut drain.stage
                {
                    *ended = true;
                }
            }
        }
        if accepted {
            self.forget_passed_suspects(partition);
        }
    }
}
