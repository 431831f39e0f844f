//! What the layers have in common: the trait, and what flows between them.
//!
//! Inward a call gains what it needs to be sent (attempt, ticket, outgoing request); outward comes one [`Answer`].
//! Invariant: a layer knows the next one only as a [`Layer`]; their order is written in `stack.rs` alone.

use std::time::Instant;

use argosy_kernel::{Death, Waiting};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::{CallOutcome, Class, Decision, Failure, Request, account::Admitted};

pub(crate) mod breaker;
pub(crate) mod claim;
pub(crate) mod classify;
pub(crate) mod detach;
pub(crate) mod http;
pub(crate) mod learn;
pub(crate) mod limiter;
pub(crate) mod observe;
pub(crate) mod recall;
pub(crate) mod record;
pub(crate) mod retry;
pub(crate) mod timeout;
pub(crate) mod unclaimed;

/// One layer of the stack.
pub(crate) trait Layer<In>: Send + Sync {
    /// What comes back.
    type Out;

    /// Passes a call inward and its answer outward.
    fn pass(&self, input: In) -> impl Future<Output = Self::Out> + Send;
}

/// One try, as the retry layer begins it.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// An earlier try in this run may have been received.
    pub(crate) uncertain: bool,
}

/// A try with a place among the calls under way.
#[derive(Debug)]
pub(crate) struct Slotted {
    pub(crate) attempt: Attempt,
    pub(crate) slot: OwnedSemaphorePermit,
}

/// A try that limiter and breaker let through.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) attempt: Attempt,
    pub(crate) slot: OwnedSemaphorePermit,
    pub(crate) admitted: Admitted,
}

/// A try that may be sent.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) outgoing: Outgoing,
    /// An earlier try, in this run or another, may have been received.
    pub(crate) uncertain: bool,
    pub(crate) ticket: Ticket,
}

/// What goes to the vendor.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) request: Request,
    /// Of effects.
    pub(crate) idempotency_key: Option<Uuid>,
    /// The claim is good until then; `None` for reads.
    pub(crate) sendable_until: Option<Instant>,
}

/// What comes back through the layers.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) result: Result<T, Failure>,
    pub(crate) how: CallOutcome,
    pub(crate) status: Option<u16>,
    /// Requests handed to a socket.
    pub(crate) tries: u32,
    pub(crate) repeat: bool,
    /// Nothing was sent, because the claim had expired at the last look.
    pub(crate) stale: bool,
}

impl<T> Answer<T> {
    /// A failure before anything was sent.
    pub(crate) fn unsent(failure: Failure) -> Self {
        Self {
            result: Err(failure),
            how: CallOutcome::Failed,
            status: None,
            tries: 0,
            repeat: false,
            stale: false,
        }
    }

    /// A success that needed no call.
    pub(crate) fn recalled(value: T) -> Self {
        Self {
            result: Ok(value),
            how: CallOutcome::Recalled,
            status: None,
            tries: 0,
            repeat: false,
            stale: false,
        }
    }

    /// What the last answer said, if one was asked for.
    pub(crate) fn class(&self) -> Option<&Class> {
        self.result
            .as_ref()
            .err()
            .and_then(|failure| failure.class.as_ref())
    }

    /// The same answer around another value.
    pub(crate) fn with<U>(self, result: Result<U, Failure>) -> Answer<U> {
        let Self {
            how,
            status,
            tries,
            repeat,
            stale,
            ..
        } = self;
        let how = if result.is_err() {
            CallOutcome::Failed
        } else {
            how
        };
        Answer {
            result,
            how,
            status,
            tries,
            repeat,
            stale,
        }
    }
}

/// The journal holds a success that this build's type cannot read: it must not be called again, nor guessed at.
pub(crate) fn unreadable_record(error: serde_json::Error) -> Failure {
    let message = "a recorded outcome does not fit the type that this build expects; keep the type readable by old outcomes";
    Failure::new(Decision::Dead(Death::Misconfigured), message).because(error)
}

/// A wait for one of our own bounds.
pub(crate) fn waits(cause: Waiting, wait: std::time::Duration, message: String) -> Failure {
    Failure::new(Decision::Wait(cause, wait), message)
}
