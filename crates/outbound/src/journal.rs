//! What the recall and claim layers need of a journal: one effect of one run, bound to its identity.

use std::{fmt, time::Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::Failure;

/// What the journal already knows when an effect is asked for.
#[derive(Clone, PartialEq, Eq)]
pub enum Recall {
    /// A recorded success, as JSON: returned without calling.
    Succeeded(Bytes),
    /// Nothing that ends the call; the claim layer will look closer.
    Unknown,
}

/// What the claim layer may do.
pub enum Admission {
    /// Send these bytes (an earlier run's, if it claimed first), but not after `sendable_until`.
    Send {
        /// Encoded request, see `Request::encode`.
        request: Bytes,
        /// Past this moment the claim must be asked anew.
        sendable_until: Instant,
        /// An earlier try of this effect may have been received by the vendor.
        repeat: bool,
    },
    /// A success was recorded meanwhile, as JSON.
    Succeeded(Bytes),
    /// An earlier claim expired without outcome, and only a lookup can tell.
    LookUp,
}

/// What came of a call.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It happened; the answer as JSON.
    Succeeded(Bytes),
    /// It is known not to have happened: the claim is given up.
    NotHappened,
}

/// One effect of one run. Waiting (`claimed`), fenced and dead ends come back as the `Failure` that decides them.
pub trait Journal: Send + Sync + 'static {
    /// The value of the `Idempotency-Key` header: the same for every try of this effect, in whatever run.
    fn idempotency_key(&self) -> Uuid;

    /// Asked once, before any other layer.
    fn recall(&self) -> BoxFuture<'_, Result<Recall, Failure>>;

    /// Asked before every try; re-entrant for its own run.
    fn claim(&self) -> BoxFuture<'_, Result<Admission, Failure>>;

    /// Records what came of the call. Not fenced: an outcome is a fact about the world.
    fn record(&self, outcome: Outcome) -> BoxFuture<'_, Result<(), Failure>>;
}

impl fmt::Debug for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded(_) => "Succeeded",
            Self::Unknown => "Unknown",
        })
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send { .. } => "Send",
            Self::Succeeded(_) => "Succeeded",
            Self::LookUp => "LookUp",
        })
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Succeeded(_) => "Succeeded",
            Self::NotHappened => "NotHappened",
        })
    }
}
