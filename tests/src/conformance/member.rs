//! A group member in the hands of a case: takes turns, and remembers what each brought.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::ensure;
use argosy_broker::{Consumer, ConsumerEvent, Delivery, Position, TopicPartition};
use argosy_kernel::{CommitNumber, CommitResult, Offset, RevokeNumber};
use tokio::time::{Instant, sleep};

/// Every wait for a condition.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const TURN_RECORDS_MAX: usize = 1_000;
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A group member.
pub(super) struct Member {
    pub(super) number: u32,
    pub(super) consumer: Box<dyn Consumer>,
    /// Answers revokes in the turn that brings them.
    pub(super) answers: bool,
    /// What it works on.
    pub(super) assigned: BTreeSet<TopicPartition>,
    /// How often it was assigned something.
    pub(super) assignments: usize,
    /// Revokes without an answer.
    pub(super) revokes: Vec<(RevokeNumber, Vec<TopicPartition>)>,
    /// How often it was asked for something.
    pub(super) revokes_seen: usize,
    /// Partitions lost, one entry per event.
    pub(super) losses: Vec<Vec<TopicPartition>>,
    /// What it read, in order.
    pub(super) records: Vec<Delivery>,
    pub(super) commits: BTreeMap<u64, Vec<(TopicPartition, CommitResult)>>,
    /// Faults and worse, as text.
    pub(super) faults: Vec<String>,
    pub(super) is_dead: bool,
    /// Why it cannot go on.
    pub(super) fatal: Option<String>,
    commit_number: u64,
}

impl Member {
    pub(super) fn new(number: u32, consumer: Box<dyn Consumer>) -> Self {
        Self {
            number,
            consumer,
            answers: true,
            assigned: BTreeSet::new(),
            assignments: 0,
            revokes: Vec::new(),
            revokes_seen: 0,
            losses: Vec::new(),
            records: Vec::new(),
            commits: BTreeMap::new(),
            faults: Vec::new(),
            is_dead: false,
            fatal: None,
            commit_number: 0,
        }
    }

    /// One turn. A record of a partition that the member does not work on is an error.
    pub(super) fn turn(&mut self) -> anyhow::Result<()> {
        let batch = self.consumer.poll(TURN_RECORDS_MAX);
        for event in batch.events {
            self.hear(event)?;
        }
        for record in batch.records {
            ensure!(
                self.assigned.contains(&record.from),
                "member {} was given {record:?}, which it does not hold",
                self.number
            );
            self.records.push(record);
        }
        Ok(())
    }

    fn hear(&mut self, event: ConsumerEvent) -> anyhow::Result<()> {
        match event {
            ConsumerEvent::Assigned(partitions) => {
                self.assignments += 1;
                for of in partitions {
                    ensure!(self.assigned.insert(of.clone()), "{of:?} is assigned twice");
                }
            }
            ConsumerEvent::RevokeAsked(revoke, partitions) => {
                for of in &partitions {
                    ensure!(
                        self.assigned.contains(of),
                        "{of:?} is revoked, which was not assigned"
                    );
                }
                self.revokes_seen += 1;
                self.revokes.push((revoke, partitions));
                if self.answers {
                    self.let_go();
                }
            }
            ConsumerEvent::Lost(partitions) => {
                for of in &partitions {
                    ensure!(
                        self.assigned.remove(of),
                        "{of:?} is lost, which was not assigned"
                    );
                }
                self.revokes.clear();
                self.losses.push(partitions);
            }
            ConsumerEvent::CommitEnded(number, results) => {
                self.commits.insert(number.0, results);
            }
            ConsumerEvent::Fault(fault) => self.faults.push(fault.to_string()),
            ConsumerEvent::Fatal(fault) => {
                self.faults.push(fault.to_string());
                self.fatal.get_or_insert(fault.to_string());
                self.is_dead = true;
            }
        }
        Ok(())
    }

    /// Answers all open revokes.
    pub(super) fn let_go(&mut self) {
        for (revoke, partitions) in std::mem::take(&mut self.revokes) {
            for of in &partitions {
                self.assigned.remove(of);
            }
            self.consumer.let_go(revoke);
        }
    }

    /// Starts a commit.
    pub(super) fn commit(&mut self, positions: Vec<Position>) -> u64 {
        self.commit_number += 1;
        self.consumer
            .commit(CommitNumber(self.commit_number), positions);
        self.commit_number
    }

    /// The position after the last record read, of each partition that it works on.
    pub(super) fn positions(&self) -> Vec<Position> {
        let mut next: BTreeMap<&TopicPartition, i64> = BTreeMap::new();
        for record in &self.records {
            next.insert(&record.from, record.offset + 1);
        }
        next.into_iter()
            .filter(|(of, _)| self.assigned.contains(*of))
            .map(|(of, offset)| Position {
                of: of.clone(),
                offset: Offset(offset),
                metadata: None,
            })
            .collect()
    }

    /// Offsets read of a partition, in the order in which they came.
    pub(super) fn offsets(&self, partition: i32) -> Vec<i64> {
        self.records
            .iter()
            .filter(|record| record.from.partition == partition)
            .map(|record| record.offset)
            .collect()
    }
}

/// Lets the members take turns until the condition holds.
pub(super) async fn until(
    members: &mut [&mut Member],
    what: &str,
    mut is_so: impl FnMut(&[&mut Member]) -> bool,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        for member in members.iter_mut() {
            member.turn()?;
        }
        if is_so(members) {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "not after {PATIENCE:?}: {what}; {}",
            members
                .iter()
                .map(|member| seen(member))
                .collect::<Vec<_>>()
                .join("; ")
        );
        sleep(LOOK_AGAIN).await;
    }
}

/// Lets the members take turns for a while.
pub(super) async fn turns_for(members: &mut [&mut Member], length: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + length;
    while Instant::now() < deadline {
        for member in members.iter_mut() {
            member.turn()?;
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Commits and lets the member take turns until the commit has ended.
pub(super) async fn commit_and_wait(
    member: &mut Member,
    positions: Vec<Position>,
) -> anyhow::Result<Vec<(TopicPartition, CommitResult)>> {
    let number = member.commit(positions);
    until(&mut [member], "the commit ends", |members| {
        members[0].commits.contains_key(&number)
    })
    .await?;
    Ok(member.commits.remove(&number).expect("waited for"))
}

/// All partitions are worked on, each by one member, and nothing is open.
pub(super) fn is_covered(members: &[&mut Member], partitions: usize) -> bool {
    let held: usize = members.iter().map(|member| member.assigned.len()).sum();
    let distinct: BTreeSet<&TopicPartition> =
        members.iter().flat_map(|member| &member.assigned).collect();
    held == partitions
        && distinct.len() == partitions
        && members.iter().all(|member| {
            member.revokes.is_empty() && (members.len() > partitions || !member.assigned.is_empty())
        })
}

fn seen(member: &Member) -> String {
    format!(
        "member {} holds {:?}, {} records, {} open revokes, {} losses, commits {:?}, faults {:?}",
        member.number,
        member
            .assigned
            .iter()
            .map(|of| of.partition)
            .collect::<Vec<_>>(),
        member.records.len(),
        member.revokes.len(),
        member.losses.len(),
        member.commits,
        member.faults
    )
}
