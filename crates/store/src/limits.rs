//! What a single value may weigh: checked before anything is sent, so that one item cannot fail its batch inside.

use std::time::Duration;

use crate::{Claim, EffectId, OutcomeRow, RecordedOutcome, Resolution, StoreError};

/// A stored request has at most this many bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// A recorded answer has at most this many bytes.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A text that identifies an effect (worker, source, event, name, key) has at most this many bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;

/// A claim is held for at most this long; more is taken as this much.
pub const HOLD_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A parked record has at most this many bytes: key, value and headers.
pub const PARKED_BYTES_MAX: usize = 16 << 20;

/// The worker and the topic of a dead letter have at most this many bytes each: they stand in indexes.
pub const LETTER_NAME_BYTES_MAX: usize = 512;

/// Plan steps that are answered at once are at most this many.
pub const DUE_STEPS_MAX: u32 = 1_000;

/// Parked rows that are loaded at once are at most this many.
pub const LOAD_ROWS_MAX: usize = 1_000;

/// The name of a worker or a topic has at most this many bytes where it stands in an index.
pub const NAME_BYTES_MAX: usize = 512;

/// Records that one process was running are at most this many.
pub const LEFT_RECORDS_MAX: usize = 16_384;

/// Suspects of one partition that are found at once are at most this many; the rest is found by the next owner.
pub const SUSPECTS_MAX: usize = 10_000;

/// Of one record at most this many deaths are counted: it is condemned long before.
pub const DEATHS_KEPT_MAX: usize = 16;

/// The rows of one operator's question (effects of an event, audit) are at most this many.
pub const OPERATOR_ROWS_MAX: u32 = 1_000;

/// The rows of one business flow that are answered at once are at most this many.
pub const TIMELINE_ROWS_MAX: u32 = 10_000;

impl Claim {
    /// Refuses what the store would not take.
    pub fn check(&self) -> Result<(), StoreError> {
        self.id.check()?;
        within("operation", self.operation.len(), TEXT_BYTES_MAX)?;
        within("request", self.request.len(), REQUEST_BYTES_MAX)
    }
}

impl OutcomeRow {
    /// Refuses what the store would not take.
    pub fn check(&self) -> Result<(), StoreError> {
        match &self.outcome {
            RecordedOutcome::Succeeded(answer) => within("answer", answer.len(), ANSWER_BYTES_MAX),
            RecordedOutcome::NotHappened => Ok(()),
        }
    }
}

impl Resolution {
    /// Refuses what the store would not take.
    pub fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Happened(answer) => within("answer", answer.len(), ANSWER_BYTES_MAX),
            Self::DidNotHappen => Ok(()),
        }
    }
}

impl EffectId {
    fn check(&self) -> Result<(), StoreError> {
        let texts = [
            ("worker", &self.of.worker),
            ("event source", &self.of.source),
            ("event id", &self.of.event),
            ("effect name", &self.name),
            ("effect key", &self.key),
        ];
        texts
            .into_iter()
            .try_for_each(|(what, text)| within(what, text.len(), TEXT_BYTES_MAX))
    }
}

pub(crate) fn within(what: &'static str, bytes: usize, bytes_max: usize) -> Result<(), StoreError> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(StoreError::TooLarge {
        what,
        bytes,
        bytes_max,
    })
}
