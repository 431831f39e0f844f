//! The group's coordinator: memberships, generations, rounds of rebalance, committed positions.
//!
//! No partition has two owners: it is given on only after its owner let it go, left, or was thrown out.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use argosy_kernel::{CommitResult, Committed, Offset, Partition, Time};

use super::{
    assignor::assign,
    member::{MemberId, Notice},
};

/// A consumer group as its coordinator keeps it.
#[derive(Debug)]
pub struct Group {
    settings: GroupSettings,
    generation: u64,
    members: BTreeMap<MemberId, Membership>,
    phase: Phase,
    positions: BTreeMap<Partition, Committed>,
}

/// What a group is told at its start.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// The partitions it consumes.
    pub partitions: Vec<Partition>,
    /// A member that is silent for so long is thrown out.
    pub session_timeout: Duration,
    /// A member that does not join a round within this time is thrown out.
    pub rebalance_timeout: Duration,
    /// Bytes of metadata that a commit may carry per partition.
    pub metadata_bytes_max: usize,
}

/// What is to be told to whom, in order.
pub type Notices = Vec<(MemberId, Notice)>;

#[derive(Debug)]
struct Membership {
    owned: BTreeSet<Partition>,
    /// Since when nothing was heard of it; `None` while it sends heartbeats.
    silent_since: Option<Time>,
}

#[derive(Debug)]
enum Phase {
    Stable,
    Joining {
        until: Time,
        joined: BTreeSet<MemberId>,
    },
}

impl Group {
    /// A group without members.
    pub fn new(settings: GroupSettings) -> Self {
        Self {
            settings,
            generation: 0,
            members: BTreeMap::new(),
            phase: Phase::Stable,
            positions: BTreeMap::new(),
        }
    }

    /// A new member joins.
    pub fn join(&mut self, member: MemberId, now: Time) -> Notices {
        self.enter(member, &BTreeSet::new(), now)
    }

    /// A member joins again, with what it still owns; one that was thrown out is told so.
    pub fn rejoin(&mut self, member: MemberId, owned: &BTreeSet<Partition>, now: Time) -> Notices {
        if self.members.contains_key(&member) {
            self.enter(member, owned, now)
        } else {
            vec![(member, Notice::Unknown)]
        }
    }

    /// A member leaves by its own will.
    pub fn leave(&mut self, member: MemberId, now: Time) -> Notices {
        if self.members.remove(&member).is_none() {
            return Notices::new();
        }
        let mut notices = self.begin_round(now);
        if let Phase::Joining { joined, .. } = &mut self.phase {
            joined.remove(&member);
        }
        notices.extend(self.complete_round());
        notices
    }

    /// From now on the member sends no heartbeats.
    pub fn fall_silent(&mut self, member: MemberId, now: Time) {
        if let Some(known) = self.members.get_mut(&member) {
            known.silent_since.get_or_insert(now);
        }
    }

    /// The member is heard of again; the answer says whether it still is a member.
    pub fn heard(&mut self, member: MemberId) -> bool {
        self.members
            .get_mut(&member)
            .map(|known| known.silent_since = None)
            .is_some()
    }

    /// The coordinator was away: every session begins anew.
    pub fn restart_sessions(&mut self, now: Time) {
        for membership in self.members.values_mut() {
            membership.silent_since = membership.silent_since.map(|_| now);
        }
        if let Phase::Joining { until, .. } = &mut self.phase {
            *until = now.plus(self.settings.rebalance_timeout);
        }
    }

    /// When `expire` has something to do at the earliest, if nothing else happens.
    pub fn expires_at(&self) -> Option<Time> {
        let sessions = self
            .members
            .values()
            .filter_map(|known| known.silent_since)
            .map(|since| since.plus(self.settings.session_timeout));
        let round = match &self.phase {
            Phase::Stable => None,
            Phase::Joining { until, .. } => Some(*until),
        };
        sessions.chain(round).min()
    }

    /// Throws out who was silent for too long or did not join in time. The answer names them, too.
    pub fn expire(&mut self, now: Time) -> (Vec<MemberId>, Notices) {
        let session_timeout = self.settings.session_timeout;
        let mut thrown_out: Vec<MemberId> = self
            .members
            .iter()
            .filter(|(_, known)| {
                known
                    .silent_since
                    .is_some_and(|since| since.plus(session_timeout) <= now)
            })
            .map(|(member, _)| *member)
            .collect();
        if let Phase::Joining { until, joined } = &self.phase
            && *until <= now
        {
            let late = self
                .members
                .keys()
                .filter(|member| !joined.contains(member));
            thrown_out.extend(late.copied());
        }
        thrown_out.sort_unstable();
        thrown_out.dedup();
        let mut notices = Notices::new();
        for member in &thrown_out {
            notices.push((*member, Notice::Unknown));
            notices.extend(self.leave(*member, now));
        }
        // Even without anybody to throw out a round that is due ends.
        notices.extend(self.complete_round());
        (thrown_out, notices)
    }

    /// The member to whom this partition belongs now.
    pub fn owner(&self, partition: Partition) -> Option<MemberId> {
        self.members
            .iter()
            .find(|(_, known)| known.owned.contains(&partition))
            .map(|(member, _)| *member)
    }

    /// A commit, checked as Kafka checks it: by membership and generation, not by ownership; one result each.
    pub fn commit(
        &mut self,
        member: MemberId,
        generation: u64,
        positions: &[(Partition, Offset, Option<String>)],
    ) -> Vec<(Partition, CommitResult)> {
        let current = generation == self.generation && self.members.contains_key(&member);
        positions
            .iter()
            .map(|(partition, offset, metadata)| {
                let metadata = metadata.clone().unwrap_or_default();
                let result = if !current {
                    CommitResult::Stale
                } else if metadata.len() > self.settings.metadata_bytes_max {
                    CommitResult::MetadataTooLarge
                } else {
                    self.write(*partition, *offset, metadata);
                    CommitResult::Accepted
                };
                (*partition, result)
            })
            .collect()
    }

    /// Writes a position as an operator's tool or a foreign program does.
    pub fn write(&mut self, partition: Partition, offset: Offset, metadata: String) {
        self.positions
            .insert(partition, Committed { offset, metadata });
    }

    /// The committed position of a partition.
    pub fn committed(&self, partition: Partition) -> Option<&Committed> {
        self.positions.get(&partition)
    }

    fn enter(&mut self, member: MemberId, owned: &BTreeSet<Partition>, now: Time) -> Notices {
        let mut notices = self.begin_round(now);
        notices.retain(|(to, _)| *to != member);
        let known = self.members.entry(member).or_insert_with(|| Membership {
            owned: BTreeSet::new(),
            silent_since: None,
        });
        // As Kafka's assignor passes over a claim of an older generation: what a member was never given under this
        // identity, or let go before, it does not own, whatever it says.
        known.owned.retain(|partition| owned.contains(partition));
        if let Phase::Joining { joined, .. } = &mut self.phase {
            joined.insert(member);
        }
        notices.extend(self.complete_round());
        notices
    }

    /// Starts a round unless one is under way; the notices call everybody else.
    fn begin_round(&mut self, now: Time) -> Notices {
        match self.phase {
            Phase::Joining { .. } => Notices::new(),
            Phase::Stable => {
                self.phase = Phase::Joining {
                    until: now.plus(self.settings.rebalance_timeout),
                    joined: BTreeSet::new(),
                };
                self.members
                    .keys()
                    .map(|member| (*member, Notice::Rejoin))
                    .collect()
            }
        }
    }

    /// Ends the round once everybody has joined.
    fn complete_round(&mut self) -> Notices {
        let Phase::Joining { joined, .. } = &self.phase else {
            return Notices::new();
        };
        if self.members.keys().any(|member| !joined.contains(member)) {
            return Notices::new();
        }
        self.phase = Phase::Stable;
        self.generation += 1;
        let owned = self
            .members
            .iter()
            .map(|(member, known)| (*member, known.owned.clone()))
            .collect();
        let assigned = assign(&self.settings.partitions, &owned);
        for (member, partitions) in &assigned {
            if let Some(known) = self.members.get_mut(member) {
                known.owned.extend(partitions);
            }
        }
        let generation = self.generation;
        assigned
            .into_iter()
            .map(|(member, partitions)| {
                let notice = Notice::Assigned {
                    generation,
                    partitions,
                };
                (member, notice)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use argosy_kernel::TopicIndex;

    use super::*;

    const A: MemberId = MemberId(1);
    const B: MemberId = MemberId(2);

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    fn partition(number: i32) -> Partition {
        Partition {
            topic: TopicIndex(0),
            number,
        }
    }

    fn group() -> Group {
        Group::new(GroupSettings {
            partitions: (0..2).map(partition).collect(),
            session_timeout: Duration::from_secs(6),
            rebalance_timeout: Duration::from_secs(15),
            metadata_bytes_max: 4,
        })
    }

    fn assigned(notices: &Notices, to: MemberId) -> Option<(u64, usize)> {
        notices
            .iter()
            .rev()
            .find_map(|(member, notice)| match notice {
                Notice::Assigned {
                    generation,
                    partitions,
                } if *member == to => Some((*generation, partitions.len())),
                _ => None,
            })
    }

    #[test]
    fn a_second_member_gets_a_partition_only_after_the_first_let_it_go() {
        let mut group = group();
        assert_eq!(assigned(&group.join(A, at(0)), A), Some((1, 2)));
        assert_eq!(group.join(B, at(1)), [(A, Notice::Rejoin)]);
        let both = (0..2).map(partition).collect();
        let round = group.rejoin(A, &both, at(2));
        assert_eq!(
            (assigned(&round, A), assigned(&round, B)),
            (Some((2, 1)), Some((2, 0)))
        );
        assert_eq!(group.owner(partition(1)), Some(A), "still being revoked");
        let kept = BTreeSet::from([partition(0)]);
        assert_eq!(group.rejoin(A, &kept, at(3)), [(B, Notice::Rejoin)]);
        let round = group.rejoin(B, &BTreeSet::new(), at(3));
        assert_eq!(assigned(&round, B), Some((3, 1)));
        assert_eq!(group.owner(partition(1)), Some(B));
    }

    /// A join that was decided under an earlier membership may name what that one owned.
    #[test]
    fn what_a_member_was_never_given_it_cannot_bring_along() {
        let mut group = group();
        group.join(A, at(0));
        group.join(B, at(1));
        group.rejoin(B, &BTreeSet::from([partition(1)]), at(1));
        let both: BTreeSet<Partition> = (0..2).map(partition).collect();
        let round = group.rejoin(A, &both, at(2));
        assert_eq!(assigned(&round, B), Some((2, 0)));
        for number in 0..2 {
            assert_eq!(group.owner(partition(number)), Some(A));
        }
    }

    #[test]
    fn a_silent_member_is_thrown_out_and_its_commits_are_stale() {
        let mut group = group();
        group.join(A, at(0));
        group.join(B, at(0));
        group.rejoin(A, &BTreeSet::new(), at(0));
        group.fall_silent(A, at(1));
        assert_eq!(group.expires_at(), Some(at(7)));
        let (thrown_out, notices) = group.expire(at(7));
        assert_eq!(thrown_out, [A]);
        assert!(notices.contains(&(A, Notice::Unknown)));
        assert!(!group.heard(A));
        let position = [(partition(0), Offset(3), None)];
        assert_eq!(
            group.commit(A, 2, &position),
            [(partition(0), CommitResult::Stale)]
        );
        assert_eq!(
            group.rejoin(A, &BTreeSet::new(), at(8)),
            [(A, Notice::Unknown)]
        );
    }

    #[test]
    fn who_does_not_join_a_round_in_time_is_thrown_out() {
        let mut group = group();
        group.join(A, at(0));
        group.join(B, at(0));
        assert_eq!(group.expires_at(), Some(at(15)));
        let (thrown_out, notices) = group.expire(at(15));
        assert_eq!(thrown_out, [A]);
        assert_eq!(assigned(&notices, B), Some((2, 2)));
    }

    #[test]
    fn one_oversized_map_is_refused_alone() {
        let mut group = group();
        group.join(A, at(0));
        let results = group.commit(
            A,
            1,
            &[
                (partition(0), Offset(3), Some("short".into())),
                (partition(1), Offset(4), Some("map".into())),
            ],
        );
        assert_eq!(
            results,
            [
                (partition(0), CommitResult::MetadataTooLarge),
                (partition(1), CommitResult::Accepted)
            ]
        );
        assert_eq!(group.committed(partition(0)), None);
    }

    #[test]
    fn a_commit_of_an_older_generation_is_stale() {
        let mut group = group();
        group.join(A, at(0));
        group.join(B, at(1));
        group.rejoin(A, &BTreeSet::new(), at(1));
        let position = [(partition(0), Offset(3), None)];
        assert_eq!(group.commit(A, 1, &position)[0].1, CommitResult::Stale);
        assert_eq!(group.commit(A, 2, &position)[0].1, CommitResult::Accepted);
    }
}
