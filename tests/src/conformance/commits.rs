//! Commits report each partition by itself, and what is read back is what was accepted.

use anyhow::{Context as _, ensure};
use argosy_broker::{Position, TopicPartition};
use argosy_kernel::{CommitResult, Offset};

use super::{
    member::{Member, commit_and_wait, until},
    world::World,
};

/// The largest metadata that Apache Kafka takes by default.
const METADATA_BYTES_MAX: usize = 4_096;

async fn ready(world: &World, name: &str, partitions: usize) -> anyhow::Result<Member> {
    let topic = world.topic(name, i32::try_from(partitions)?).await?;
    let mut member = world.member(name, &topic)?;
    until(&mut [&mut member], "all are assigned", |members| {
        members[0].assigned.len() == partitions
    })
    .await?;
    Ok(member)
}

fn position(member: &Member, partition: i32, offset: i64, metadata: usize) -> Position {
    let of = member
        .assigned
        .iter()
        .find(|of| of.partition == partition)
        .cloned()
        .expect("assigned");
    Position {
        of,
        offset: Offset(offset),
        metadata: (metadata > 0).then(|| "m".repeat(metadata)),
    }
}

async fn read_back(
    member: &mut Member,
    partition: i32,
) -> anyhow::Result<Option<(i64, Option<usize>)>> {
    let of = member.assigned.iter().find(|of| of.partition == partition);
    let of = vec![of.context("not assigned")?.clone()];
    let read = member.consumer.committed(of).await?;
    ensure!(read.len() == 1, "{read:?}");
    Ok(read[0].as_ref().map(|position| {
        let metadata = position.metadata.as_ref().map(String::len);
        (position.offset.0, metadata)
    }))
}

pub(super) async fn an_accepted_commit_is_read_back_with_its_metadata(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let mut member = ready(world, name, 2).await?;
    let positions = vec![
        position(&member, 0, 3, METADATA_BYTES_MAX),
        position(&member, 1, 5, 0),
    ];
    let results = commit_and_wait(&mut member, positions).await?;
    ensure!(results.len() == 2, "{results:?}");
    for (of, result) in &results {
        ensure!(*result == CommitResult::Accepted, "{of:?}: {result:?}");
    }
    let read = read_back(&mut member, 0).await?;
    ensure!(read == Some((3, Some(METADATA_BYTES_MAX))), "{read:?}");
    let read = read_back(&mut member, 1).await?;
    ensure!(read == Some((5, None)), "{read:?}");
    Ok(())
}

pub(super) async fn metadata_that_is_too_large_does_not_hide_its_siblings_success(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let mut member = ready(world, name, 3).await?;
    let positions = vec![
        position(&member, 0, 1, 10),
        position(&member, 1, 2, METADATA_BYTES_MAX + 1),
        position(&member, 2, 3, 0),
    ];
    let mut results = commit_and_wait(&mut member, positions).await?;
    results.sort_by(|one, other| one.0.cmp(&other.0));
    let results: Vec<CommitResult> = results.into_iter().map(|(_, result)| result).collect();
    let (accepted, too_large) = (CommitResult::Accepted, CommitResult::MetadataTooLarge);
    ensure!(results == [accepted, too_large, accepted], "{results:?}");
    ensure!(read_back(&mut member, 0).await? == Some((1, Some(10))));
    ensure!(read_back(&mut member, 1).await?.is_none());
    ensure!(read_back(&mut member, 2).await? == Some((3, None)));
    Ok(())
}

pub(super) async fn a_partition_that_is_not_ours_is_stale(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let mut member = ready(world, name, 1).await?;
    let ours = position(&member, 0, 4, 0);
    let mut foreign = ours.clone();
    foreign.of = TopicPartition {
        topic: foreign.of.topic,
        partition: 9,
    };
    let results = commit_and_wait(&mut member, vec![foreign, ours]).await?;
    for (of, result) in &results {
        let expected = match of.partition {
            0 => CommitResult::Accepted,
            _ => CommitResult::Stale,
        };
        ensure!(*result == expected, "{of:?}: {result:?}");
    }
    ensure!(results.len() == 2, "{results:?}");
    Ok(())
}

pub(super) async fn a_position_without_commit_is_none(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let mut member = ready(world, name, 1).await?;
    ensure!(read_back(&mut member, 0).await?.is_none());
    ensure!(member.consumer.committed(Vec::new()).await?.is_empty());
    Ok(())
}
