//! Rebalances: shares, deferred answers, lost memberships, and leaving.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use argosy_broker::{Position, TopicPartition};
use argosy_kernel::{CommitResult, Offset, RevokeNumber};
use tokio::time::{Instant, sleep};

use super::{
    member::{Member, is_covered, turns_for, until},
    world::{SESSION_TIMEOUT, World},
};

const PARTITIONS: usize = 4;

/// A topic, and a member that holds all of it.
async fn settled(world: &World, name: &str) -> anyhow::Result<(Arc<str>, Member)> {
    let topic = world.topic(name, i32::try_from(PARTITIONS)?).await?;
    let mut member = world.member(name, &topic)?;
    until(&mut [&mut member], "all are assigned", |members| {
        members[0].assigned.len() == PARTITIONS
    })
    .await?;
    Ok((topic, member))
}

/// A second member has joined, and the first has been asked for a share that it has not given.
async fn asked(
    world: &World,
    name: &str,
    topic: &Arc<str>,
    first: &mut Member,
) -> anyhow::Result<Member> {
    first.answers = false;
    let mut second = world.member(name, topic)?;
    until(&mut [first, &mut second], "a revoke comes", |members| {
        !members[0].revokes.is_empty()
    })
    .await?;
    Ok(second)
}

pub(super) async fn a_second_member_takes_its_share_and_the_first_reads_on(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let (topic, mut first) = settled(world, name).await?;
    let all = first.assigned.clone();
    let mut second = world.member(name, &topic)?;
    until(
        &mut [&mut first, &mut second],
        "both have a share",
        |members| is_covered(members, PARTITIONS),
    )
    .await?;
    ensure!(
        first.assigned.is_subset(&all),
        "cooperative: what stays, stays"
    );
    ensure!(
        first.losses.is_empty() && second.losses.is_empty(),
        "nothing was lost"
    );
    let assignments = first.assignments;
    let kept = first.assigned.first().context("nothing kept")?.partition;
    world.write(&topic, kept, 0..100).await?;
    until(
        &mut [&mut first, &mut second],
        "the kept is read",
        |members| members[0].offsets(kept).len() == 100,
    )
    .await?;
    ensure!(
        first.assignments == assignments,
        "what is kept is not assigned again"
    );
    Ok(())
}

pub(super) async fn a_revoke_waits_for_its_answer_and_commits_meanwhile_count(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let (topic, mut first) = settled(world, name).await?;
    for partition in 0..4 {
        world.write(&topic, partition, 0..20).await?;
    }
    until(&mut [&mut first], "all are read", |members| {
        members[0].records.len() == 20 * PARTITIONS
    })
    .await?;
    let mut second = asked(world, name, &topic, &mut first).await?;
    let revoked: BTreeSet<TopicPartition> = first.revokes[0].1.iter().cloned().collect();
    turns_for(&mut [&mut first, &mut second], Duration::from_secs(1)).await?;
    ensure!(
        second.assigned.is_disjoint(&revoked),
        "given away before the answer"
    );
    ensure!(
        first.assigned.len() == PARTITIONS,
        "taken before the answer"
    );

    let positions: Vec<Position> = revoked
        .iter()
        .map(|of| Position {
            of: of.clone(),
            offset: Offset(15),
            metadata: Some("five to go".into()),
        })
        .collect();
    let number = first.commit(positions);
    until(
        &mut [&mut first, &mut second],
        "the commit ends",
        |members| members[0].commits.contains_key(&number),
    )
    .await?;
    for (of, result) in &first.commits[&number] {
        ensure!(
            *result == CommitResult::Accepted,
            "{of:?} while a revoke is open: {result:?}"
        );
    }
    first.consumer.let_go(RevokeNumber(u64::MAX));
    first.let_go();
    first.answers = true;
    until(
        &mut [&mut first, &mut second],
        "the second has its share",
        |members| {
            members[1].assigned.is_superset(&revoked)
                && members[1].records.len() == 5 * revoked.len()
        },
    )
    .await?;
    for of in &revoked {
        let read = second.offsets(of.partition);
        ensure!(read == [15, 16, 17, 18, 19], "{of:?} goes on with {read:?}");
    }
    let read = second
        .consumer
        .committed(revoked.iter().cloned().collect())
        .await?;
    for position in read {
        let position = position.context("nothing committed")?;
        ensure!(
            position.metadata.as_deref() == Some("five to go"),
            "{position:?}"
        );
    }
    Ok(())
}

pub(super) async fn a_third_member_that_joins_while_a_revoke_is_open_gets_its_share(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let (topic, mut first) = settled(world, name).await?;
    let mut second = asked(world, name, &topic, &mut first).await?;
    let mut third = world.member(name, &topic)?;
    let length = Duration::from_millis(1_500);
    turns_for(&mut [&mut first, &mut second, &mut third], length).await?;
    ensure!(
        first.revokes.len() == 1,
        "one revoke at a time: {:?}",
        first.revokes
    );
    first.let_go();
    first.answers = true;
    until(
        &mut [&mut first, &mut second, &mut third],
        "all three have a share",
        |members| is_covered(members, PARTITIONS),
    )
    .await?;
    for member in [&first, &second, &third] {
        ensure!(
            member.losses.is_empty(),
            "member {} lost something",
            member.number
        );
    }
    Ok(())
}

pub(super) async fn a_member_that_is_not_polled_loses_its_partitions(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let (topic, mut first) = settled(world, name).await?;
    let mut second = world.member(name, &topic)?;
    until(
        &mut [&mut first, &mut second],
        "both have a share",
        |members| is_covered(members, PARTITIONS),
    )
    .await?;
    let held = first.assigned.clone();
    until(&mut [&mut second], "the second has all", |members| {
        members[0].assigned.len() == PARTITIONS
    })
    .await?;
    // Nobody told the first yet: its commit must not count.
    let position = |of: &TopicPartition, offset| Position {
        of: of.clone(),
        offset: Offset(offset),
        metadata: None,
    };
    let lost = held.first().context("held nothing")?;
    let number = first.commit(vec![position(lost, 99)]);
    first.turn()?;
    until(
        &mut [&mut first, &mut second],
        "the commit ends",
        |members| members[0].commits.contains_key(&number),
    )
    .await?;
    let results = &first.commits[&number];
    ensure!(
        results.len() == 1 && results[0].1 == CommitResult::Stale,
        "{results:?}"
    );
    ensure!(first.losses.len() == 1, "losses: {:?}", first.losses);
    let told: BTreeSet<TopicPartition> = first.losses[0].iter().cloned().collect();
    ensure!(told == held, "lost {told:?}, held {held:?}");
    let committed = second.consumer.committed(vec![lost.clone()]).await?;
    ensure!(
        committed.len() == 1 && committed[0].is_none(),
        "{committed:?}"
    );
    until(
        &mut [&mut first, &mut second],
        "both have a share again",
        |members| is_covered(members, PARTITIONS),
    )
    .await?;
    let ours = first.assigned.first().context("nothing assigned")?.clone();
    let results = commit_beside(&mut first, &mut second, vec![position(&ours, 0)]).await?;
    ensure!(results[0].1 == CommitResult::Accepted, "{results:?}");
    Ok(())
}

pub(super) async fn a_member_that_is_lost_while_a_revoke_is_open_hears_of_it(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let (topic, mut first) = settled(world, name).await?;
    for partition in 0..4 {
        world.write(&topic, partition, 0..10).await?;
    }
    until(&mut [&mut first], "all are read", |members| {
        members[0].records.len() == 10 * PARTITIONS
    })
    .await?;
    let mut second = asked(world, name, &topic, &mut first).await?;
    // Past the poll interval librdkafka leaves the group, and says nothing, because the revoke is open.
    let deadline = Instant::now() + SESSION_TIMEOUT + Duration::from_secs(2);
    while Instant::now() < deadline {
        second.turn()?;
        sleep(Duration::from_millis(5)).await;
    }
    let number = first.commit(first.positions());
    until(
        &mut [&mut first, &mut second],
        "the commit ends",
        |members| members[0].commits.contains_key(&number),
    )
    .await?;
    for (of, result) in &first.commits[&number] {
        ensure!(*result == CommitResult::Stale, "{of:?}: {result:?}");
    }
    ensure!(first.losses.len() == 1, "losses: {:?}", first.losses);
    ensure!(
        first.losses[0].len() == PARTITIONS,
        "losses: {:?}",
        first.losses
    );
    first.answers = true;
    until(
        &mut [&mut first, &mut second],
        "both have a share again",
        |members| is_covered(members, PARTITIONS),
    )
    .await?;
    // Nothing was committed, so that what the first has now is read from its start again.
    ensure!(!first.assigned.is_empty(), "the first has no share");
    let twice: Vec<i64> = (0..10).chain(0..10).collect();
    until(
        &mut [&mut first, &mut second],
        "all are read again",
        |members| {
            let mut shares = members[0].assigned.iter();
            shares.all(|of| members[0].offsets(of.partition) == twice)
        },
    )
    .await
}

pub(super) async fn a_member_that_closes_hands_over_at_once(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let (topic, mut first) = settled(world, name).await?;
    let mut second = asked(world, name, &topic, &mut first).await?;
    // It leaves with a revoke open.
    let began = Instant::now();
    let closing = tokio::task::spawn_blocking(move || first.consumer.close());
    until(&mut [&mut second], "the second has all", |members| {
        members[0].assigned.len() == PARTITIONS
    })
    .await?;
    closing.await?;
    let took = began.elapsed();
    ensure!(
        took < SESSION_TIMEOUT - Duration::from_millis(500),
        "it took {took:?}"
    );
    Ok(())
}

pub(super) async fn an_assignor_that_the_broker_does_not_have_is_fatal(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, i32::try_from(PARTITIONS)?).await?;
    let mut stranger = world.member_with_assignor(name, &topic, "by-moonlight")?;
    until(&mut [&mut stranger], "it is told", |members| {
        members[0].is_dead
    })
    .await?;
    ensure!(
        stranger
            .fatal
            .as_ref()
            .is_some_and(|why| why.contains("by-moonlight")),
        "{:?}",
        stranger.fatal
    );
    let mut member = world.member_with_assignor(name, &topic, "range")?;
    until(&mut [&mut member], "all are assigned", |members| {
        members[0].assigned.len() == PARTITIONS
    })
    .await
}

/// Commits while another member takes turns as well.
async fn commit_beside(
    first: &mut Member,
    second: &mut Member,
    positions: Vec<Position>,
) -> anyhow::Result<Vec<(TopicPartition, CommitResult)>> {
    let number = first.commit(positions);
    until(&mut [first, second], "the commit ends", |members| {
        members[0].commits.contains_key(&number)
    })
    .await?;
    Ok(first.commits.remove(&number).expect("waited for"))
}
