//! A broker that is killed, stopped and started again.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use argosy_broker::BrokerError;
use argosy_kernel::CommitResult;
use tokio::time::{Instant, sleep};

use super::{
    member::{Member, PATIENCE, until},
    world::{MESSAGE_TIMEOUT, World, numbered},
};
use crate::{servers::Server as _, suite::progress};

/// Lone members that are struck together, each the only one of its group: a broker that is stopping tells one in a
/// hundred that there is no broker.
const LONE_MEMBERS: usize = 40;
/// A kill and a stop, by each group protocol.
const RESTARTS: u64 = 2;
/// Past its timeout, a call may take so much longer to end.
const SLACK: Duration = Duration::from_millis(1_500);

pub(super) async fn a_restarted_broker_loses_nothing_that_was_acknowledged(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, 2).await?;
    let mut member = world.member(name, &topic)?;
    let mut acknowledged: Vec<(i32, i64)> = Vec::new();
    let mut refused = 0;
    for strike in 0..RESTARTS {
        write_a_while(
            world,
            &topic,
            &mut member,
            strike,
            &mut acknowledged,
            &mut refused,
        )
        .await?;
        let is_kill = strike % 2 == 0;
        // The member goes on taking turns while its broker is away.
        bounce_beneath(world, is_kill, || member.turn())?;
        let began = Instant::now();
        accept_a_commit(&mut member).await?;
        progress(&format!(
            "       {} and back: commits again after {:?}",
            if is_kill { "killed" } else { "stopped" },
            began.elapsed()
        ));
    }
    write_a_while(
        world,
        &topic,
        &mut member,
        9,
        &mut acknowledged,
        &mut refused,
    )
    .await?;
    let mut all = acknowledged.clone();
    until(
        &mut [&mut member],
        "all acknowledged are read",
        move |members| {
            all.retain(|(partition, offset)| {
                let last = members[0].offsets(*partition).last().copied();
                last.is_none_or(|last| last < *offset)
            });
            all.is_empty()
        },
    )
    .await?;
    for partition in 0..2 {
        let offsets = member.offsets(partition);
        let is_whole = offsets
            .iter()
            .enumerate()
            .all(|(at, offset)| i64::try_from(at).is_ok_and(|at| at == *offset));
        ensure!(
            is_whole || !member.losses.is_empty(),
            "partition {partition}: {offsets:?}"
        );
    }
    ensure!(!acknowledged.is_empty(), "nothing was acknowledged");
    Ok(())
}

async fn write_a_while(
    world: &World,
    topic: &Arc<str>,
    member: &mut Member,
    round: u64,
    acknowledged: &mut Vec<(i32, i64)>,
    refused: &mut usize,
) -> anyhow::Result<()> {
    for number in 0..50 {
        let partition = i32::from(number % 2 == 1);
        let message = numbered(topic, partition, round * 1_000 + number);
        match world.send(message).await {
            Ok(at) => acknowledged.push(at),
            Err(BrokerError::Unavailable(_)) => *refused += 1,
            Err(other) => anyhow::bail!("a send during a restart: {other}"),
        }
        member.turn()?;
    }
    Ok(())
}

/// Commits until one is accepted: while the broker is away they fail, and stay to be repeated.
async fn accept_a_commit(member: &mut Member) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let positions = member.positions();
        if !positions.is_empty() {
            let results = super::member::commit_and_wait(member, positions).await?;
            if results
                .iter()
                .all(|(_, result)| *result == CommitResult::Accepted)
            {
                return Ok(());
            }
        }
        ensure!(
            Instant::now() < deadline,
            "no commit is accepted after {PATIENCE:?}"
        );
        member.turn()?;
        sleep(Duration::from_millis(20)).await;
    }
}

pub(super) async fn a_lone_member_is_assigned_again_after_every_restart_of_its_broker(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, 4).await?;
    let mut members = Vec::new();
    for number in 0..LONE_MEMBERS {
        members.push(world.member(&format!("{name}-{number}"), &topic)?);
    }
    let mut members: Vec<&mut Member> = members.iter_mut().collect();
    for strike in 0..4_u64 {
        world
            .write(&topic, 0, strike * 10..strike * 10 + 10)
            .await?;
        until(&mut members, "each commits again", |members| {
            members.iter().all(|member| member.assigned.len() == 4)
        })
        .await?;
        let is_kill = strike == 1;
        bounce_beneath(world, is_kill, || {
            members.iter_mut().try_for_each(|member| {
                member.turn()?;
                let positions = member.positions();
                if !positions.is_empty() {
                    member.commit(positions);
                }
                Ok(())
            })
        })?;
        // Every membership is over by now, or kept: both end in an assignment.
        let away: usize = members.iter().map(|member| member.losses.len()).sum();
        progress(&format!("       strike {strike}: {away} losses so far"));
    }
    until(&mut members, "each works again", |members| {
        members.iter().all(|member| member.assigned.len() == 4)
    })
    .await
}

/// Stops or kills the broker and starts it again, while turns are taken.
fn bounce_beneath(
    world: &World,
    is_kill: bool,
    mut turn: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    std::thread::scope(|scope| {
        let restart = scope.spawn(|| world.server.bounce(is_kill, Duration::ZERO));
        while !restart.is_finished() {
            turn()?;
            std::thread::sleep(Duration::from_millis(5));
        }
        restart.join().expect("a script does not panic")
    })
}

pub(super) async fn a_broker_that_is_away_is_unavailable_within_the_timeout(
    world: &World,
    name: &str,
) -> anyhow::Result<()> {
    let topic = world.topic(name, 1).await?;
    world.write(&topic, 0, 0..10).await?;
    let mut member = world.member(name, &topic)?;
    until(&mut [&mut member], "all are read", |members| {
        members[0].records.len() == 10
    })
    .await?;
    world.server.kill()?;
    let away = while_away(world, &topic, &mut member).await;
    world.server.restart()?;
    away?;
    world.write(&topic, 0, 10..20).await?;
    until(&mut [&mut member], "the rest is read", |members| {
        members[0].offsets(0).last() == Some(&19)
    })
    .await
}

async fn while_away(world: &World, topic: &Arc<str>, member: &mut Member) -> anyhow::Result<()> {
    let began = Instant::now();
    let outcome = world.send(numbered(topic, 0, 99)).await;
    let took = began.elapsed();
    ensure!(
        matches!(outcome, Err(BrokerError::Unavailable(_))),
        "{outcome:?}"
    );
    ensure!(took < MESSAGE_TIMEOUT + SLACK, "a send took {took:?}");

    let began = Instant::now();
    let at_most = Duration::from_secs(1);
    let outcome = world.admin.ping(at_most).await;
    let took = began.elapsed();
    ensure!(
        matches!(outcome, Err(BrokerError::Unavailable(_))),
        "{outcome:?}"
    );
    ensure!(took < at_most + SLACK, "a ping took {took:?}");

    until(&mut [&mut *member], "the fault is told", |members| {
        !members[0].faults.is_empty()
    })
    .await?;
    ensure!(
        !member.is_dead,
        "a broker that is away is fatal: {:?}",
        member.faults
    );

    let of = member.assigned.iter().cloned().collect();
    let outcome = member.consumer.committed(of).await;
    ensure!(
        member.assigned.is_empty() || matches!(outcome, Err(BrokerError::Unavailable(_))),
        "{outcome:?}"
    );
    Ok(())
}
