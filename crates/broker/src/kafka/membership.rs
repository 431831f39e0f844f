//! Decides what a rebalance means for the owner and for librdkafka. Pure: it is told, and answers with steps.
//!
//! Invariant: the owner believes in a partition only while this member holds it under the membership under which it was
//! told. librdkafka keeps silent about a lost membership while a rebalance is open; the member's standing says it.

use std::collections::{BTreeMap, BTreeSet};

use argosy_kernel::RevokeNumber;

use crate::port::{ConsumerEvent, TopicPartition};

/// What is to be done, in this order.
#[derive(Debug)]
pub(super) enum Step {
    /// Tell librdkafka to fetch these, from the committed position; an answer to its assign, also when empty.
    Assign(Vec<TopicPartition>),
    /// Tell librdkafka to let these go; an answer to its revoke.
    Unassign(Vec<TopicPartition>),
    /// The owner takes records of these from now on.
    Open(Vec<TopicPartition>),
    /// The owner takes no more records of these.
    Shut(Vec<TopicPartition>),
    /// Tell the owner.
    Tell(ConsumerEvent),
}

/// Under what a member is in its group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// In none.
    #[default]
    Outside,
    /// With the classic protocol every membership has an id of its own.
    Classic(String),
    /// With the consumer protocol a member keeps its id for life. Its epoch grows while it stays, and begins at zero
    /// again when it was thrown out.
    Consumer(i32),
}

impl Standing {
    /// Is it still the membership that it was then?
    fn continues(&self, then: &Self) -> bool {
        match (self, then) {
            (Self::Classic(now), Self::Classic(then)) => now == then,
            (Self::Consumer(now), Self::Consumer(then)) => now >= then,
            _ => false,
        }
    }
}

/// What this member holds, and what its owner knows of it.
#[derive(Debug, Default)]
pub(super) struct Membership {
    /// Under which `told` was told, as last seen.
    standing: Standing,
    /// What librdkafka fetches.
    held: BTreeSet<TopicPartition>,
    /// What the owner works on; a part of `held`.
    told: BTreeSet<TopicPartition>,
    /// Revokes that wait for the owner's answer.
    open: BTreeMap<RevokeNumber, Vec<TopicPartition>>,
    revokes: u64,
}

impl Membership {
    /// Does the owner work on it?
    pub(super) fn is_told(&self, partition: &TopicPartition) -> bool {
        self.told.contains(partition)
    }

    /// librdkafka assigns these and waits for the answer.
    pub(super) fn assigned(
        &mut self,
        standing: &Standing,
        added: Vec<TopicPartition>,
    ) -> Vec<Step> {
        let mut steps = self.checked(standing);
        self.held.extend(added.iter().cloned());
        if *standing == Standing::Outside {
            // The tail of a rebalance of a membership that is gone: answered, so that the next can begin.
            steps.push(Step::Assign(added));
            return steps;
        }
        // Kept through a lost membership: begun anew, because another may have gone on from the committed position.
        let kept: Vec<TopicPartition> = self
            .held
            .iter()
            .filter(|partition| !self.told.contains(*partition) && !added.contains(partition))
            .cloned()
            .collect();
        if !kept.is_empty() {
            steps.push(Step::Unassign(kept.clone()));
        }
        let mut taken = added;
        taken.extend(kept);
        self.standing = standing.clone();
        self.told.extend(taken.iter().cloned());
        steps.push(Step::Assign(taken.clone()));
        if !taken.is_empty() {
            steps.push(Step::Open(taken.clone()));
            steps.push(Step::Tell(ConsumerEvent::Assigned(taken)));
        }
        steps
    }

    /// librdkafka wants these back and waits for the answer.
    pub(super) fn revoked(
        &mut self,
        standing: &Standing,
        partitions: Vec<TopicPartition>,
    ) -> Vec<Step> {
        let mut steps = self.checked(standing);
        let known: Vec<TopicPartition> = partitions
            .iter()
            .filter(|partition| self.told.contains(*partition))
            .cloned()
            .collect();
        if known.is_empty() {
            steps.extend(self.unassign(partitions));
            return steps;
        }
        self.revokes += 1;
        let number = RevokeNumber(self.revokes);
        self.open.insert(number, partitions);
        steps.push(Step::Tell(ConsumerEvent::RevokeAsked(number, known)));
        steps
    }

    /// librdkafka says that these are lost, and waits for the answer.
    pub(super) fn lost(&mut self, partitions: Vec<TopicPartition>) -> Vec<Step> {
        let mut steps = self.forget_all();
        steps.extend(self.unassign(partitions));
        steps
    }

    /// The owner lets go of what a revoke asked for.
    pub(super) fn let_go(&mut self, standing: &Standing, revoke: RevokeNumber) -> Vec<Step> {
        let mut steps = self.checked(standing);
        if let Some(partitions) = self.open.remove(&revoke) {
            steps.extend(self.unassign(partitions));
        }
        steps
    }

    /// Looks whether the membership under which partitions were told is still there.
    pub(super) fn checked(&mut self, standing: &Standing) -> Vec<Step> {
        if self.told.is_empty() {
            return Vec::new();
        }
        if standing.continues(&self.standing) {
            self.standing = standing.clone();
            return Vec::new();
        }
        self.forget_all()
    }

    /// librdkafka left the group by itself; whether it tells what was lost depends on what else is open.
    pub(super) fn thrown_out(&mut self) -> Vec<Step> {
        self.forget_all()
    }

    /// The consumer is replaced: nothing is held any more, and its open revokes are nobody's.
    pub(super) fn begin_anew(&mut self) -> Vec<Step> {
        self.open.clear();
        let steps = self.forget_all();
        self.held.clear();
        self.standing = Standing::Outside;
        steps
    }

    /// The owner leaves: every open revoke is answered.
    pub(super) fn leave(&mut self) -> Vec<Step> {
        let open = std::mem::take(&mut self.open);
        open.into_values()
            .flat_map(|partitions| self.unassign(partitions))
            .collect()
    }

    fn forget_all(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        let told: Vec<TopicPartition> = std::mem::take(&mut self.told).into_iter().collect();
        if !told.is_empty() {
            steps.push(Step::Shut(told.clone()));
            steps.push(Step::Tell(ConsumerEvent::Lost(told)));
        }
        steps.extend(self.leave());
        steps
    }

    /// Only what is held: librdkafka refuses a list that names anything else as a whole.
    fn unassign(&mut self, partitions: Vec<TopicPartition>) -> Vec<Step> {
        let held: Vec<TopicPartition> = partitions
            .into_iter()
            .filter(|partition| self.held.remove(partition))
            .collect();
        let told: Vec<TopicPartition> = held
            .iter()
            .filter(|partition| self.told.remove(*partition))
            .cloned()
            .collect();
        let mut steps = Vec::new();
        if !told.is_empty() {
            steps.push(Step::Shut(told));
        }
        steps.push(Step::Unassign(held));
        steps
    }
}

#[cfg(test)]
mod tests;
