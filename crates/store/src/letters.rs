//! Dead letters as the store keeps them, and the plan steps by which an operator ends what they began.
//!
//! Invariant: a dead record has one row, however many letters told of its deaths, and at most one open step; a step is
//! carried out by nobody but the owner of the record's partition.

mod id;
mod step;

use std::{fmt, sync::Arc};

use bytes::Bytes;

pub use id::{LetterId, LetterIdError};
pub use step::{DueStep, PlanStepAnswer, PlanStepKind, PlanStepRefusal};

use crate::{StoreError, limits};

/// A dead record, as its newest letter tells of it.
#[derive(Clone, PartialEq, Eq)]
pub struct LetterRow {
    /// Which record of which worker.
    pub id: LetterId,
    /// Where the letter lies on the topic of dead letters.
    pub letter_partition: i32,
    /// Where the letter lies on the topic of dead letters.
    pub letter_offset: i64,
    /// The event's source, if its envelope could be read.
    pub source: Option<Arc<str>>,
    /// The event's id, if its envelope could be read.
    pub event: Option<Arc<str>>,
    /// The event's type, if its envelope could be read.
    pub event_type: Option<Arc<str>>,
    /// The business flow, if its envelope could be read.
    pub correlation: Option<Arc<str>>,
    /// The record's broker timestamp, milliseconds since 1970; `None` if unknown.
    pub timestamp_ms: Option<i64>,
    /// The record's key.
    pub key: Option<Bytes>,
    /// The record's value; a list leaves it out.
    pub value: Option<Bytes>,
    /// The record's own headers, as they were before it died; a list leaves them out.
    pub headers: Vec<(String, Bytes)>,
    /// The letter holds not the whole record: value or headers were left out, so it cannot be replayed.
    pub is_reference: bool,
    /// Why it died; empty if the letter does not say.
    pub cause: Arc<str>,
    /// Groups letters of one cause; empty if the letter does not say.
    pub fingerprint: Arc<str>,
    /// What the last run said.
    pub message: Arc<str>,
    /// Which dependency refused it, if one did.
    pub dependency: Option<Arc<str>>,
    /// With which status.
    pub status: Option<i32>,
    /// Attempts that it had spent.
    pub attempts: i64,
    /// Milliseconds since 1970 of its first failure.
    pub first_failure_ms: i64,
    /// Milliseconds since 1970 of its last failure.
    pub last_failure_ms: i64,
    /// The ownership under which it died.
    pub epoch: i64,
    /// The build that it died in.
    pub build: Arc<str>,
}

impl LetterRow {
    /// Bytes of the record's key, value and headers together.
    pub fn bytes(&self) -> usize {
        let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len());
        len(&self.key) + len(&self.value) + headers.sum::<usize>()
    }

    /// Whether it tells of a later death than another letter of the same record. Letters of a key lie in one partition,
    /// where the offset decides; those of a keyless record may lie anywhere, and there their time decides.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        if self.letter_partition == other.letter_partition {
            return self.letter_offset > other.letter_offset;
        }
        let age = |row: &Self| (row.last_failure_ms, row.letter_partition, row.letter_offset);
        age(self) > age(other)
    }

    /// Where it stands among all letters.
    pub fn place(&self) -> LetterPlace {
        LetterPlace {
            last_failure_ms: self.last_failure_ms,
            id: self.id.clone(),
        }
    }

    /// The same without what a list leaves out.
    #[must_use]
    pub fn listed(&self) -> Self {
        Self {
            value: None,
            headers: Vec::new(),
            ..self.clone()
        }
    }

    /// Refuses what the store would not take.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`], with what is too large.
    pub fn check(&self) -> Result<(), StoreError> {
        self.id.check()?;
        let texts = [
            ("event source", self.source.as_ref()),
            ("event id", self.event.as_ref()),
            ("event type", self.event_type.as_ref()),
            ("correlation id", self.correlation.as_ref()),
            ("cause", Some(&self.cause)),
            ("fingerprint", Some(&self.fingerprint)),
            ("message", Some(&self.message)),
            ("dependency", self.dependency.as_ref()),
            ("build", Some(&self.build)),
        ];
        for (what, text) in texts {
            let bytes = text.map_or(0, |text| text.len());
            limits::within(what, bytes, limits::TEXT_BYTES_MAX)?;
        }
        limits::within("dead record", self.bytes(), limits::PARKED_BYTES_MAX)
    }
}

impl fmt::Debug for LetterRow {
    /// Records hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.id, self.cause, self.bytes())
    }
}

/// Where the end of a dead record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LetterState {
    /// It is dead.
    Dead,
    /// Its owner has it back at the head of its lane.
    Replaying,
    /// It was replayed, and is done or skipped.
    Done,
}

impl LetterState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dead, Self::Replaying, Self::Done];

    /// Its name, as it stands in rows, answers and questions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Replaying => "replaying",
            Self::Done => "done",
        }
    }

    /// The state of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A dead record and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The record and its death.
    pub row: LetterRow,
    /// Where it stands.
    pub state: LetterState,
    /// How many letters told of it.
    pub deaths: u32,
    /// Later records of its key wait behind it.
    pub held: bool,
    /// What was asked for and is not carried out yet.
    pub open_step: Option<PlanStepKind>,
}

impl Letter {
    /// What becomes of an ask, as it stands.
    pub fn answer(&self, kind: PlanStepKind) -> PlanStepAnswer {
        if self.open_step.is_some() {
            return PlanStepAnswer::Open;
        }
        let refusal = match kind {
            PlanStepKind::Replay if self.state != LetterState::Dead => PlanStepRefusal::NotDead,
            PlanStepKind::Replay if self.row.is_reference => PlanStepRefusal::IsReference,
            PlanStepKind::Release if !self.held => PlanStepRefusal::NotHeld,
            PlanStepKind::Replay | PlanStepKind::Release => return PlanStepAnswer::Asked,
        };
        PlanStepAnswer::Refused(refusal)
    }
}

/// Where a letter stands among all: by its last failure, then by its record's place. A list begins with the greatest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LetterPlace {
    /// Milliseconds since 1970 of its last failure.
    pub last_failure_ms: i64,
    /// The record's place.
    pub id: LetterId,
}

/// Asks for letters, newest first; what is `None` does not matter.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LetterQuestion {
    /// Of this worker.
    pub worker: Option<String>,
    /// Of records of this topic.
    pub topic: Option<String>,
    /// Of this cause.
    pub cause: Option<String>,
    /// Of this fingerprint.
    pub fingerprint: Option<String>,
    /// Of this business flow.
    pub correlation: Option<String>,
    /// Of records with this key.
    pub key: Option<Bytes>,
    /// In this state.
    pub state: Option<LetterState>,
    /// With later records of the key waiting behind it, or without.
    pub held: Option<bool>,
    /// Only those that come after this one: the place of the last letter leads to the next ones.
    pub after: Option<LetterPlace>,
    /// At most so many; at most [`limits::OPERATOR_ROWS_MAX`].
    pub rows_max: u32,
}

impl fmt::Debug for LetterQuestion {
    /// Keys may name customers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LetterQuestion")
            .field("worker", &self.worker)
            .field("state", &self.state)
            .field("held", &self.held)
            .field("rows_max", &self.rows_max)
            .finish_non_exhaustive()
    }
}
