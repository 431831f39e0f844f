//! What a call came to, for timelines: beside the result, never instead of it.

use std::time::Duration;

use crate::{Dependency, layers::Answer};

/// How an answer was had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// The vendor was called and answered.
    Sent,
    /// A recorded success was returned; nothing was called.
    Recalled,
    /// The vendor was asked whether an earlier call happened, and it had.
    LookedUp,
    /// There is no answer; the failure says what follows.
    Failed,
}

impl CallOutcome {
    /// As it stands in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Recalled => "recalled",
            Self::LookedUp => "looked_up",
            Self::Failed => "failed",
        }
    }
}

/// One call, as a timeline tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallReport {
    /// To whom.
    pub dependency: Dependency,
    /// What.
    pub operation: &'static str,
    /// How the answer was had.
    pub outcome: CallOutcome,
    /// Class of the last answer, by name: `ok`, `ambiguous`, …; `none` if nothing was sent.
    pub class: &'static str,
    /// HTTP requests that were handed to a socket.
    pub tries: u32,
    /// Status of the last answer, if there was one.
    pub status: Option<u16>,
    /// An earlier try of this effect, in this run or another, may have been received by the vendor.
    pub repeat: bool,
    /// From asking to knowing, waits included.
    pub duration: Duration,
    /// The failure's message, if it failed; no payloads, no secrets.
    pub detail: Option<String>,
}

/// Name of the class of what came back, bounded, for metrics.
pub(crate) fn class_name<T>(answer: &Answer<T>) -> &'static str {
    match (&answer.result, answer.class()) {
        (Ok(_), _) => "ok",
        (Err(_), None) => "none",
        (Err(_), Some(class)) => class.name(),
    }
}
