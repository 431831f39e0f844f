//! How each group is struck: real processes, killed and frozen at moments that are seen from outside.
//!
//! Invariant: a strike that did not hit what it is named for is an error, never a group that holds.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context as _;

use super::plan::{Case, Group, Strike};
use crate::{
    grounds::{Grounds, WorkerSettings, until},
    storm::fleet::Process,
    suite::progress,
    trial_worker::{Note, Seen},
};

/// From a group's first process to all its strikes' marks.
const MARK_WITHIN: Duration = Duration::from_secs(60);

/// From the strike to the last event's end: a membership, a claim of the patient, and a busy machine.
const SETTLE_WITHIN: Duration = Duration::from_secs(120);

/// A process is killed or frozen at most so long after its mark.
const STRIKE_WITHIN_MS: u64 = 1_000;

/// A process that was frozen before it sent is thawed at most so long after another took over: before or after the
/// end of its claim.
const THAW_WITHIN_MS: u64 = 12_000;

/// The same where the claim holds for long.
const THAW_EARLY_WITHIN_MS: u64 = 4_000;

/// What a thawed process could still do wrong it does in this time.
const AFTER_THAW: Duration = Duration::from_secs(4);

/// The processes of a group that was struck and settled.
pub(super) struct Struck {
    /// Kept running: they handle what is published again.
    pub(super) _processes: [Process; 2],
    /// Events that a second process took over.
    pub(super) moved: usize,
}

/// Publishes a group's events, strikes, and waits until all have ended.
pub(super) async fn strike(grounds: &Grounds, group: &mut Group) -> anyhow::Result<Struck> {
    let name = group.name.clone();
    strike_group(grounds, group)
        .await
        .with_context(|| format!("group {name}"))
}

async fn strike_group(grounds: &Grounds, group: &mut Group) -> anyhow::Result<Struck> {
    let orders: Vec<_> = group
        .cases
        .iter()
        .map(|case| {
            (
                case.event.clone(),
                group.deed(case).order(&group.name, &case.key),
            )
        })
        .collect();
    grounds.publish_all(&orders).await?;
    let settings = WorkerSettings::default();
    let mut first = grounds.worker(&group.name, 0, &settings);
    let mut second = grounds.worker(&group.name, 1, &settings);
    first.start()?;
    match group.strike {
        Strike::Cut => {}
        Strike::KilledBeforeSending => {
            claimed(grounds, group).await?;
            unsent_for(grounds, group).await?;
            first.kill();
            none_sent(grounds, group)?;
            second.start()?;
        }
        Strike::KilledAfterSending => {
            sent(grounds, group).await?;
            first.kill();
            none_done(grounds, group)?;
            second.start()?;
        }
        Strike::FrozenBeforeSending => {
            claimed(grounds, group).await?;
            unsent_for(grounds, group).await?;
            first.freeze();
            none_sent(grounds, group)?;
            second.start()?;
            taken_over(grounds, group).await?;
            wait(group, THAW_WITHIN_MS).await;
            first.thaw();
        }
        Strike::FrozenWithinClaim => {
            sent(grounds, group).await?;
            first.freeze();
            none_done(grounds, group)?;
            second.start()?;
            taken_over(grounds, group).await?;
            wait(group, THAW_EARLY_WITHIN_MS).await;
            first.thaw();
        }
        Strike::FrozenPastClaim => {
            sent(grounds, group).await?;
            first.freeze();
            none_done(grounds, group)?;
            second.start()?;
            settled(grounds, group).await?;
            first.thaw();
        }
        Strike::Rebalanced => {
            claimed(grounds, group).await?;
            second.start()?;
        }
    }
    settled(grounds, group).await?;
    tokio::time::sleep(AFTER_THAW).await;
    progress(&format!("unknown-outcomes: {} has ended", group.name));
    let moved = moved(grounds, group)?;
    Ok(Struck {
        _processes: [first, second],
        moved,
    })
}

/// Every event's first claim is granted.
async fn claimed(grounds: &Grounds, group: &Group) -> anyhow::Result<()> {
    noted(grounds, group, "every event is claimed", |note| {
        note.seen == Seen::Claimed
    })
    .await
}

/// Another process than the first began every event.
async fn taken_over(grounds: &Grounds, group: &Group) -> anyhow::Result<()> {
    let first = first_process(grounds, group)?;
    noted(grounds, group, "every event is taken over", |note| {
        note.seen == Seen::Began && note.process != first
    })
    .await
}

async fn noted(
    grounds: &Grounds,
    group: &Group,
    what: &str,
    fits: impl Fn(&Note) -> bool + Send + Sync,
) -> anyhow::Result<()> {
    until(what, MARK_WITHIN, async || {
        let notes = grounds.notes()?;
        let of_group = notes
            .iter()
            .filter(|note| note.group == group.name && fits(note));
        let seen: BTreeSet<&str> = of_group.map(|note| &*note.event).collect();
        let all = group.cases.iter().all(|case| seen.contains(&*case.event));
        Ok(all.then_some(()))
    })
    .await
}

/// Every event's call was accepted by its supplier.
async fn sent(grounds: &Grounds, group: &Group) -> anyhow::Result<()> {
    until("every call is accepted", MARK_WITHIN, async || {
        let receipts = grounds.receipts()?;
        let is_sent = |case: &Case| {
            receipts
                .iter()
                .any(|receipt| receipt.our_reference == case.event)
        };
        Ok(group.cases.iter().all(is_sent).then_some(()))
    })
    .await
}

/// Every event is settled.
async fn settled(grounds: &Grounds, group: &Group) -> anyhow::Result<()> {
    until("every event is settled", SETTLE_WITHIN, async || {
        for case in &group.cases {
            let state = grounds.state(&group.name, &case.event).await?;
            if !matches!(state.as_deref(), Some("done" | "skipped" | "dead")) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await
}

/// A drawn moment of the pause between claim and send.
async fn unsent_for(grounds: &Grounds, group: &mut Group) -> anyhow::Result<()> {
    wait(group, STRIKE_WITHIN_MS).await;
    none_sent(grounds, group)
}

async fn wait(group: &mut Group, ms_max: u64) {
    let drawn = group.random.draw() % ms_max;
    tokio::time::sleep(Duration::from_millis(drawn)).await;
}

fn none_sent(grounds: &Grounds, group: &Group) -> anyhow::Result<()> {
    let receipts = grounds.receipts()?;
    let is_sent = |case: &&Case| {
        receipts
            .iter()
            .any(|receipt| receipt.our_reference == case.event)
    };
    let late = group.cases.iter().find(is_sent);
    anyhow::ensure!(late.is_none(), "struck too late: {late:?} was sent already");
    Ok(())
}

fn none_done(grounds: &Grounds, group: &Group) -> anyhow::Result<()> {
    let notes = grounds.notes()?;
    let late = notes
        .iter()
        .find(|note| note.group == group.name && note.seen == Seen::Done);
    anyhow::ensure!(late.is_none(), "struck too late: {late:?} was done already");
    Ok(())
}

fn first_process(grounds: &Grounds, group: &Group) -> anyhow::Result<u32> {
    let notes = grounds.notes()?;
    let of_group = notes.iter().filter(|note| note.group == group.name);
    let first = of_group
        .min_by_key(|note| note.at)
        .context("nothing was noted")?;
    Ok(first.process)
}

/// Events that another process than the first began.
fn moved(grounds: &Grounds, group: &Group) -> anyhow::Result<usize> {
    let first = first_process(grounds, group)?;
    let notes = grounds.notes()?;
    let began = notes.iter().filter(|note| {
        note.group == group.name && note.seen == Seen::Began && note.process != first
    });
    let events: BTreeSet<&str> = began.map(|note| &*note.event).collect();
    Ok(events.len())
}
