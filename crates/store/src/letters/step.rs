//! What an operator may ask for a dead record, and how that is answered.

use std::fmt;

use bytes::Bytes;
use serde_json::{Value, json};

use super::LetterId;
use crate::OwnerKey;

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlanStepKind {
    /// To run the record again, at the head of its lane.
    Replay,
    /// To let the records behind it run, without it.
    Release,
}

impl PlanStepKind {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Replay, Self::Release];

    /// Its name, as it stands in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Release => "release",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The action's name in the audit.
    pub fn action(self) -> &'static str {
        match self {
            Self::Replay => "dead-letters.replay",
            Self::Release => "dead-letters.release",
        }
    }
}

/// What becomes of an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanStepAnswer {
    /// The owner will do it.
    Asked,
    /// A step of this letter is open already; nothing was changed.
    Open,
    /// There is no such letter.
    Unknown,
    /// It cannot be done; nothing was changed.
    Refused(PlanStepRefusal),
}

/// Why an ask is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanStepRefusal {
    /// The letter holds not the whole record, so there is nothing to replay.
    IsReference,
    /// The record is being replayed, or was done by a replay.
    NotDead,
    /// No record waits behind it, nor would a later one.
    NotHeld,
}

impl PlanStepRefusal {
    /// Its name, as it stands in the audit and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::IsReference => "is-reference",
            Self::NotDead => "not-dead",
            Self::NotHeld => "not-held",
        }
    }
}

impl PlanStepAnswer {
    /// What the audit says of the ask; `None` if there was nothing to ask it of.
    pub fn subject(self, id: &LetterId) -> Option<Value> {
        let answer = match self {
            Self::Asked => "asked",
            Self::Open => "open",
            Self::Unknown => return None,
            Self::Refused(refusal) => refusal.name(),
        };
        Some(json!({
            "worker": &*id.worker,
            "topic": &*id.topic,
            "partition": id.partition,
            "offset": id.offset,
            "answer": answer,
        }))
    }
}

/// A step that waits for its owner.
#[derive(Clone, PartialEq, Eq)]
pub struct DueStep {
    /// Its number.
    pub step: i64,
    /// Who carries it out.
    pub owner: OwnerKey,
    /// What is to be done.
    pub kind: PlanStepKind,
    /// The dead record's offset.
    pub offset: i64,
    /// The dead record's key.
    pub key: Option<Bytes>,
    /// Bytes of the dead record.
    pub bytes: usize,
}

impl fmt::Debug for DueStep {
    /// Keys may name customers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            owner,
            kind,
            offset,
            ..
        } = self;
        write!(
            f,
            "{} {}/{}/{}/{offset}",
            kind.name(),
            owner.worker,
            owner.topic,
            owner.partition
        )
    }
}
