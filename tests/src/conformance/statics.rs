//! Static members: one that restarts is not missed, and two of one name are one too many.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use argosy_broker::Position;
use argosy_kernel::{CommitResult, Offset};

use super::{
    member::{Member, is_covered, turns_for, until},
    world::{SESSION_TIMEOUT, World},
};

const PARTITIONS: usize = 4;

pub(super) async fn a_static_member_that_restarts_within_its_session_causes_no_rebalance(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, i32::try_from(PARTITIONS)?).await?;
    let mut first = world.static_member(name, &topic, "first")?;
    let mut second = world.static_member(name, &topic, "second")?;
    until(
        &mut [&mut first, &mut second],
        "both have a share",
        |members| is_covered(members, PARTITIONS),
    )
    .await?;
    let share = second.assigned.clone();
    let kept = first.assigned.clone();
    let (assignments, revokes) = (first.assignments, first.revokes_seen);
    close(second).await?;
    // Nobody takes over what a static member left.
    turns_for(&mut [&mut first], SESSION_TIMEOUT / 3).await?;
    ensure!(first.assigned == kept, "{:?}", first.assigned);

    let mut second = world.static_member(name, &topic, "second")?;
    until(
        &mut [&mut first, &mut second],
        "the second is back",
        |members| !members[1].assigned.is_empty(),
    )
    .await?;
    ensure!(second.assigned == share, "{:?}", second.assigned);
    turns_for(&mut [&mut first, &mut second], SESSION_TIMEOUT).await?;
    ensure!(
        first.assigned == kept && second.assigned == share,
        "the shares changed later"
    );
    ensure!(
        (first.assignments, first.revokes_seen) == (assignments, revokes),
        "the first saw a rebalance"
    );
    ensure!(
        first.losses.is_empty() && second.losses.is_empty(),
        "something was lost"
    );
    let of = kept.first().context("nothing kept")?.clone();
    let position = Position {
        of,
        offset: Offset(0),
        metadata: None,
    };
    let number = first.commit(vec![position]);
    until(
        &mut [&mut first, &mut second],
        "the commit ends",
        |members| members[0].commits.contains_key(&number),
    )
    .await?;
    let results = &first.commits[&number];
    ensure!(results[0].1 == CommitResult::Accepted, "{results:?}");

    // Away for longer than its session, it is missed.
    close(second).await?;
    until(&mut [&mut first], "the first has all", |members| {
        members[0].assigned.len() == PARTITIONS
    })
    .await
}

pub(super) async fn a_second_process_with_the_same_instance_id_fences_the_first(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, i32::try_from(PARTITIONS)?).await?;
    let mut first = world.static_member(name, &topic, "the-one")?;
    until(&mut [&mut first], "all are assigned", |members| {
        members[0].assigned.len() == PARTITIONS
    })
    .await?;
    let of = first.assigned.first().context("nothing assigned")?.clone();
    let mut second = world.static_member(name, &topic, "the-one")?;
    until(&mut [&mut second], "the second has all", |members| {
        members[0].assigned.len() == PARTITIONS
    })
    .await?;
    // Nobody told the first yet: its commit must not count.
    let number = first.commit(vec![Position {
        of: of.clone(),
        offset: Offset(99),
        metadata: None,
    }]);
    until(
        &mut [&mut first, &mut second],
        "the first ends",
        |members| members[0].is_dead && members[0].commits.contains_key(&number),
    )
    .await?;
    let results = &first.commits[&number];
    ensure!(results[0].1 == CommitResult::Stale, "{results:?}");
    ensure!(
        first
            .fatal
            .as_ref()
            .is_some_and(|why| why.contains("the-one")),
        "what it says: {:?}",
        first.fatal
    );
    let committed = second.consumer.committed(vec![of]).await?;
    ensure!(committed[0].is_none(), "{committed:?}");
    close(first).await?;
    turns_for(&mut [&mut second], SESSION_TIMEOUT + Duration::from_secs(1)).await?;
    ensure!(
        second.assigned.len() == PARTITIONS && !second.is_dead,
        "the second does not outlive the end of the first: {:?}",
        second.faults
    );
    Ok(())
}

async fn close(member: Member) -> anyhow::Result<()> {
    tokio::task::spawn_blocking(move || member.consumer.close()).await?;
    Ok(())
}
