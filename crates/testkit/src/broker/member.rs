//! One consumer's own view of its membership: what it believes to own, and what it must answer.
//!
//! As with librdkafka's cooperative protocol, a member joins no round while a revoke is unanswered, and is given
//! new partitions only after it has let the others go.

use std::collections::BTreeSet;

use argosy_kernel::{Partition, RevokeNumber};

/// A membership's identity; a member that was thrown out comes back under another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(pub u64);

/// What the coordinator tells a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A round has begun: join.
    Rejoin,
    /// A round has ended.
    Assigned {
        /// The group's generation from now on.
        generation: u64,
        /// What the member is to own.
        partitions: BTreeSet<Partition>,
    },
    /// There is no such member (any more).
    Unknown,
}

/// What a member tells its application, or does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Partitions were added.
    Assigned(Vec<Partition>),
    /// Partitions are wanted back; answered by `Member::let_go`.
    RevokeAsked(RevokeNumber, Vec<Partition>),
    /// Partitions are lost.
    Lost(Vec<Partition>),
    /// Join (again), with what is owned.
    Join(BTreeSet<Partition>),
    /// Join as a new member, owning nothing.
    JoinAnew,
}

/// A group member as its own process sees it.
#[derive(Debug)]
pub struct Member {
    id: MemberId,
    generation: u64,
    owned: BTreeSet<Partition>,
    state: State,
    revokes: u64,
}

#[derive(Debug)]
enum State {
    Steady,
    /// A join is under way: a call to join says nothing new.
    Joining,
    Revoking {
        open: Vec<(RevokeNumber, Vec<Partition>)>,
        added: Vec<Partition>,
    },
}

impl Member {
    /// A member that is about to join.
    pub fn new(id: MemberId) -> Self {
        Self {
            id,
            generation: 0,
            owned: BTreeSet::new(),
            state: State::Joining,
            revokes: 0,
        }
    }

    /// Under which identity it is known.
    pub fn id(&self) -> MemberId {
        self.id
    }

    /// The newest generation it was told of.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What it believes to own.
    pub fn owned(&self) -> &BTreeSet<Partition> {
        &self.owned
    }

    /// Is a revoke unanswered?
    pub fn is_revoking(&self) -> bool {
        matches!(self.state, State::Revoking { .. })
    }

    /// A notice arrives. `revokes_max` is into how many revokes the partitions wanted back may be split.
    pub fn hear(&mut self, notice: Notice, revokes_max: usize) -> Vec<Event> {
        match notice {
            Notice::Rejoin => match self.state {
                State::Steady => vec![self.join_again()],
                State::Joining | State::Revoking { .. } => Vec::new(),
            },
            Notice::Assigned {
                generation,
                partitions,
            } => self.take_assignment(generation, &partitions, revokes_max),
            Notice::Unknown => self.lose_everything(),
        }
    }

    /// Comes back under another identity after `Event::JoinAnew`.
    pub fn rename(&mut self, id: MemberId) {
        self.id = id;
    }

    /// The application answers a revoke; unknown numbers are ignored.
    pub fn let_go(&mut self, revoke: RevokeNumber) -> Vec<Event> {
        let State::Revoking { open, added } = &mut self.state else {
            return Vec::new();
        };
        let Some(answered) = open.iter().position(|(number, _)| *number == revoke) else {
            return Vec::new();
        };
        let (_, partitions) = open.swap_remove(answered);
        for partition in partitions {
            self.owned.remove(&partition);
        }
        if !open.is_empty() {
            return Vec::new();
        }
        let added = std::mem::take(added);
        let mut events = self.add(added);
        // Others wait for what was let go: a member that revoked always joins again.
        events.push(self.join_again());
        events
    }

    fn join_again(&mut self) -> Event {
        self.state = State::Joining;
        Event::Join(self.owned.clone())
    }

    fn take_assignment(
        &mut self,
        generation: u64,
        partitions: &BTreeSet<Partition>,
        revokes_max: usize,
    ) -> Vec<Event> {
        self.generation = generation;
        self.state = State::Steady;
        let added: Vec<Partition> = partitions.difference(&self.owned).copied().collect();
        let revoked: Vec<Partition> = self.owned.difference(partitions).copied().collect();
        if revoked.is_empty() {
            return self.add(added);
        }
        let size = revoked.len().div_ceil(revokes_max.max(1));
        let mut open = Vec::new();
        for chunk in revoked.chunks(size) {
            self.revokes += 1;
            open.push((RevokeNumber(self.revokes), chunk.to_vec()));
        }
        let events = open
            .iter()
            .map(|(number, partitions)| Event::RevokeAsked(*number, partitions.clone()))
            .collect();
        self.state = State::Revoking { open, added };
        events
    }

    fn add(&mut self, added: Vec<Partition>) -> Vec<Event> {
        if added.is_empty() {
            return Vec::new();
        }
        self.owned.extend(&added);
        vec![Event::Assigned(added)]
    }

    fn lose_everything(&mut self) -> Vec<Event> {
        self.state = State::Joining;
        self.generation = 0;
        let lost: Vec<Partition> = std::mem::take(&mut self.owned).into_iter().collect();
        let mut events = Vec::new();
        if !lost.is_empty() {
            events.push(Event::Lost(lost));
        }
        events.push(Event::JoinAnew);
        events
    }
}

#[cfg(test)]
mod tests {
    use argosy_kernel::TopicIndex;

    use super::*;

    fn partition(number: i32) -> Partition {
        Partition {
            topic: TopicIndex(0),
            number,
        }
    }

    fn assigned(numbers: &[i32]) -> Notice {
        Notice::Assigned {
            generation: 1,
            partitions: numbers.iter().copied().map(partition).collect(),
        }
    }

    #[test]
    fn new_partitions_come_after_the_old_ones_were_let_go() {
        let mut member = Member::new(MemberId(1));
        member.hear(assigned(&[0, 1]), 1);
        let asked = member.hear(assigned(&[1, 2]), 1);
        assert_eq!(
            asked,
            [Event::RevokeAsked(RevokeNumber(1), vec![partition(0)])]
        );
        assert_eq!(member.hear(Notice::Rejoin, 1), []);
        let events = member.let_go(RevokeNumber(1));
        assert_eq!(
            events,
            [
                Event::Assigned(vec![partition(2)]),
                Event::Join([partition(1), partition(2)].into())
            ]
        );
        assert_eq!(member.let_go(RevokeNumber(1)), []);
    }

    #[test]
    fn a_member_that_was_thrown_out_loses_everything_and_its_open_revokes() {
        let mut member = Member::new(MemberId(1));
        member.hear(assigned(&[0, 1]), 1);
        member.hear(assigned(&[1]), 1);
        let events = member.hear(Notice::Unknown, 1);
        assert_eq!(
            events,
            [
                Event::Lost(vec![partition(0), partition(1)]),
                Event::JoinAnew
            ]
        );
        assert_eq!(member.let_go(RevokeNumber(1)), []);
    }

    #[test]
    fn a_call_to_join_while_joining_says_nothing_new() {
        let mut member = Member::new(MemberId(1));
        assert_eq!(member.hear(Notice::Rejoin, 1), []);
        member.hear(assigned(&[0]), 1);
        assert_eq!(member.hear(Notice::Rejoin, 1).len(), 1);
        assert_eq!(member.hear(Notice::Rejoin, 1), []);
    }
}
