//! What is to be seen among actions, in few words.

use std::time::Duration;

use argosy_kernel::{Abort, Action, Death, Dispatch, Partition, Settle};

use crate::world::{Act, P0};

/// The dispatches among these actions, as their offsets.
pub(crate) fn runs(actions: &[Act]) -> Vec<Vec<i64>> {
    dispatches(actions)
        .map(|dispatch| dispatch.records.iter().map(|r| r.at.offset.0).collect())
        .collect()
}

pub(crate) fn dispatches(actions: &[Act]) -> impl Iterator<Item = &Dispatch<i64>> {
    actions.iter().filter_map(|action| match action {
        Action::Run(dispatch) => Some(dispatch),
        _ => None,
    })
}

pub(crate) fn settled(actions: &[Act]) -> Vec<(i64, Settle)> {
    let settled = actions.iter().filter_map(|action| match action {
        Action::Settled { at, settle, .. } => Some((at.offset.0, *settle)),
        _ => None,
    });
    settled.collect()
}

pub(crate) fn aborts(actions: &[Act]) -> Vec<(i64, Abort)> {
    let aborts = actions.iter().filter_map(|action| match action {
        Action::Abort { at, why } => Some((at.offset.0, *why)),
        _ => None,
    });
    aborts.collect()
}

/// The commits among these actions: number, and offsets with metadata.
pub(crate) type CommitSeen = (u64, Vec<(Partition, i64, Option<String>)>);

pub(crate) fn commits(actions: &[Act]) -> Vec<CommitSeen> {
    let commits = actions.iter().filter_map(|action| match action {
        Action::Commit { commit, offsets } => {
            let offsets = offsets.iter();
            let offsets = offsets.map(|(p, offset, metadata)| (*p, offset.0, metadata.clone()));
            Some((commit.0, offsets.collect()))
        }
        _ => None,
    });
    commits.collect()
}

/// The first partition's committed offset among these actions.
pub(crate) fn committed(actions: &[Act]) -> Option<i64> {
    let (_, offsets) = commits(actions).pop()?;
    offsets
        .iter()
        .find(|(p, ..)| *p == P0)
        .map(|(_, offset, _)| *offset)
}

pub(crate) fn let_gos(actions: &[Act]) -> Vec<u64> {
    let let_gos = actions.iter().filter_map(|action| match action {
        Action::LetGo(revoke) => Some(revoke.0),
        _ => None,
    });
    let_gos.collect()
}

pub(crate) fn leaves(actions: &[Act]) -> usize {
    let leaves = actions
        .iter()
        .filter(|action| matches!(action, Action::Leave));
    leaves.count()
}

pub(crate) fn takes_owner(actions: &[Act]) -> Vec<Partition> {
    let takes = actions.iter().filter_map(|action| match action {
        Action::TakeOwner { partition, .. } => Some(*partition),
        _ => None,
    });
    takes.collect()
}

/// The waits told among these actions.
pub(crate) fn waits(actions: &[Act]) -> Vec<(i64, String, Duration)> {
    let waits = actions.iter().filter_map(|action| match action {
        Action::Waits {
            at, cause, wait, ..
        } => Some((at.offset.0, cause.to_string(), *wait)),
        _ => None,
    });
    waits.collect()
}

/// The dead letters among these actions: offset, cause, attempts, residue.
pub(crate) fn letters(actions: &[Act]) -> Vec<(i64, Death, u32, Option<&'static str>)> {
    let letters = actions.iter().filter_map(|action| match action {
        Action::DeadLetter {
            at,
            cause,
            attempts,
            residue,
            ..
        } => Some((at.offset.0, *cause, *attempts, *residue)),
        _ => None,
    });
    letters.collect()
}

pub(crate) fn publishes(actions: &[Act]) -> Vec<(i64, &'static str)> {
    let publishes = actions.iter().filter_map(|action| match action {
        Action::Publish { at, emits, .. } => Some((at.offset.0, *emits)),
        _ => None,
    });
    publishes.collect()
}
