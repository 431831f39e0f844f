//! Twenty joins and leaves under load: every record seen exactly once over all members, in order, from the committed
//! position.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use argosy_broker::{Position, Producer};
use argosy_kernel::{CommitResult, Offset};
use tokio::time::{Instant, sleep};

use super::{
    member::{Member, PATIENCE, is_covered},
    world::{World, numbered},
};
use crate::suite::progress;

const PARTITIONS: usize = 4;
const ROUNDS: usize = 20;
const DRAIN: Duration = Duration::from_millis(200);
/// Records of a partition per batch, and the pause after each: about 2,000 records per second and partition.
const BATCH: u64 = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// Members, and how far each partition was read over all of them.
struct Group {
    members: Vec<Churner>,
    next: BTreeMap<i32, i64>,
    /// Who read the last record of each partition.
    readers: BTreeMap<i32, u32>,
    read: u64,
    /// Records that a member read twice in a row: librdkafka may go back by the one that it hands out while a rebalance
    /// begins. Whoever is told of an offset twice charges it once.
    repeated: u64,
}

/// A member that drains for a while before it commits and answers.
struct Churner {
    member: Member,
    /// Since when a revoke is open.
    asked: Option<Instant>,
    /// The commit before the answer.
    commit: Option<u64>,
}

pub(super) async fn twenty_joins_and_leaves_lose_repeat_and_reorder_nothing(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, i32::try_from(PARTITIONS)?).await?;
    let is_over = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicU64::new(0));
    let writing = tokio::spawn(write(
        Arc::clone(&world.producer),
        Arc::clone(&topic),
        Arc::clone(&is_over),
        Arc::clone(&written),
    ));
    let mut group = Group {
        members: vec![Churner::of(world.member(name, &topic)?)],
        next: BTreeMap::new(),
        readers: BTreeMap::new(),
        read: 0,
        repeated: 0,
    };
    group.settle().await?;
    for round in 0..ROUNDS {
        group.members.push(Churner::of(world.member(name, &topic)?));
        group.settle().await?;
        // In turn the newcomer and the elder leave, each after a last commit.
        let leaver = group.members.remove(round % 2);
        group.bid_farewell(leaver).await?;
        group.settle().await?;
        if round % 5 == 4 {
            progress(&format!(
                "       round {}: {} records read, {} of them twice",
                round + 1,
                group.read,
                group.repeated
            ));
        }
    }
    is_over.store(true, Ordering::Release);
    writing.await??;
    let all = written.load(Ordering::Acquire);
    let deadline = Instant::now() + PATIENCE;
    while group.read < all {
        group.turn()?;
        ensure!(
            Instant::now() < deadline,
            "{} of {all} records were read",
            group.read
        );
        sleep(Duration::from_millis(1)).await;
    }
    ensure!(
        group.read == all,
        "{} records read, {all} written",
        group.read
    );
    Ok(())
}

async fn write(
    producer: Arc<dyn Producer>,
    topic: Arc<str>,
    is_over: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let mut number = 0;
    while !is_over.load(Ordering::Acquire) {
        let messages: Vec<_> = (number..number + BATCH)
            .flat_map(|number| (0..4).map(move |partition| (partition, number)))
            .map(|(partition, number)| numbered(&topic, partition, number))
            .collect();
        let count = u64::try_from(messages.len())?;
        for result in producer.send(messages).await {
            result?;
        }
        written.fetch_add(count, Ordering::AcqRel);
        number += BATCH;
        sleep(PAUSE).await;
    }
    Ok(())
}

impl Group {
    /// One turn of everybody. Each record must be the next of its partition over all members.
    fn turn(&mut self) -> anyhow::Result<()> {
        for churner in &mut self.members {
            churner.member.turn()?;
            for record in std::mem::take(&mut churner.member.records) {
                let reader = churner.member.number;
                let expected = self.next.entry(record.from.partition).or_insert(0);
                let last = self.readers.insert(record.from.partition, reader);
                if record.offset + 1 == *expected && last == Some(reader) {
                    self.repeated += 1;
                    continue;
                }
                ensure!(
                    record.offset == *expected,
                    "member {reader} read {record:?}, expected was offset {expected}, last read by {last:?}"
                );
                *expected += 1;
                self.read += 1;
            }
            churner.advance(&self.next)?;
            ensure!(
                churner.member.losses.is_empty(),
                "member {} lost its membership",
                churner.member.number
            );
        }
        Ok(())
    }

    /// Until each partition is somebody's, and everybody has read something since.
    async fn settle(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut since: Option<BTreeMap<i32, i64>> = None;
        loop {
            self.turn()?;
            let members: Vec<&mut Member> = self
                .members
                .iter_mut()
                .map(|churner| &mut churner.member)
                .collect();
            let is_settled = is_covered(&members, PARTITIONS);
            match &since {
                Some(since) if is_settled => {
                    let goes_on =
                        |(of, next): (&i32, &i64)| since.get(of).is_none_or(|was| next > was);
                    if self.next.len() == PARTITIONS && self.next.iter().all(goes_on) {
                        return Ok(());
                    }
                }
                _ => since = is_settled.then(|| self.next.clone()),
            }
            ensure!(
                Instant::now() < deadline,
                "not settled after {PATIENCE:?}, or a partition stands still: {:?}, was {since:?}",
                self.next
            );
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// A last commit, then the leave; the others take turns meanwhile.
    async fn bid_farewell(&mut self, mut leaver: Churner) -> anyhow::Result<()> {
        let held: BTreeSet<i32> = leaver
            .member
            .assigned
            .iter()
            .map(|of| of.partition)
            .collect();
        let number = leaver.member.commit(leaver.positions(&self.next, &held));
        let deadline = Instant::now() + PATIENCE;
        while !leaver.member.commits.contains_key(&number) {
            ensure!(Instant::now() < deadline, "the last commit does not end");
            let batch = leaver.member.consumer.poll(0);
            for event in batch.events {
                if let argosy_broker::ConsumerEvent::CommitEnded(number, results) = event {
                    leaver.member.commits.insert(number.0, results);
                }
            }
            self.turn()?;
            sleep(Duration::from_millis(1)).await;
        }
        accepted(&leaver.member.commits[&number])?;
        let closing = tokio::task::spawn_blocking(move || leaver.member.consumer.close());
        while !closing.is_finished() {
            self.turn()?;
            sleep(Duration::from_millis(1)).await;
        }
        closing.await?;
        Ok(())
    }
}

impl Churner {
    fn of(mut member: Member) -> Self {
        member.answers = false;
        Self {
            member,
            asked: None,
            commit: None,
        }
    }

    /// Drain, commit, answer.
    fn advance(&mut self, next: &BTreeMap<i32, i64>) -> anyhow::Result<()> {
        if self.member.revokes.is_empty() {
            return Ok(());
        }
        let asked = *self.asked.get_or_insert_with(Instant::now);
        if asked.elapsed() < DRAIN {
            return Ok(());
        }
        let Some(number) = self.commit else {
            let revoked: BTreeSet<i32> = self
                .member
                .revokes
                .iter()
                .flat_map(|(_, partitions)| partitions)
                .map(|of| of.partition)
                .collect();
            let positions = self.positions(next, &revoked);
            self.commit = Some(self.member.commit(positions));
            return Ok(());
        };
        if let Some(results) = self.member.commits.get(&number) {
            accepted(results)?;
            self.member.let_go();
            (self.asked, self.commit) = (None, None);
        }
        Ok(())
    }

    fn positions(&self, next: &BTreeMap<i32, i64>, of: &BTreeSet<i32>) -> Vec<Position> {
        self.member
            .assigned
            .iter()
            .filter(|assigned| of.contains(&assigned.partition))
            .map(|assigned| Position {
                of: assigned.clone(),
                offset: Offset(next.get(&assigned.partition).copied().unwrap_or(0)),
                metadata: None,
            })
            .collect()
    }
}

fn accepted(results: &[(argosy_broker::TopicPartition, CommitResult)]) -> anyhow::Result<()> {
    for (of, result) in results {
        ensure!(
            *result == CommitResult::Accepted,
            "the commit of {of:?}: {result:?}"
        );
    }
    Ok(())
}
