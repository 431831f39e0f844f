//! The sandbox's own record of a call that it accepted: what a judge reads, and what the state is rebuilt from.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// `POST /v1/orders`.
    Draft,
    /// `POST /v1/orders/{order_id}/confirm`.
    Confirm,
    /// Either way of finding an order. Never in a receipt: it changes nothing.
    Lookup,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft => "draft",
            Self::Confirm => "confirm",
            Self::Lookup => "lookup",
        })
    }
}

/// What the call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It changed something: an order was made or confirmed.
    Applied,
    /// The supplier recognised it and changed nothing.
    Repeat,
}

/// One accepted call. Times are nanoseconds since 1970 by the sandbox's clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// When the request's head had arrived.
    pub received_at: i64,
    /// When the call was applied and its line written; scripted latency lies before this.
    pub applied_at: i64,
    /// When the answer was to be complete: `applied_at`, plus the time of a scripted slow body. The sync to disk lies
    /// between `applied_at` and the first byte of the answer and is in neither, since the line is written before it.
    pub answered_at: i64,
    /// The supplier's name.
    pub vendor: Arc<str>,
    /// What was asked.
    pub operation: Operation,
    /// The `Idempotency-Key`, if one was sent.
    pub idempotency_key: Option<Arc<str>>,
    /// `external_order_id`.
    pub our_reference: Arc<str>,
    /// The supplier's own id of the order.
    pub order_id: Arc<str>,
    /// `metadata.order` of the draft.
    pub aggregate_key: Option<Arc<str>>,
    /// `metadata.sequence` of the draft.
    pub sequence: Option<i64>,
    /// What the call did.
    pub effect: Effect,
    /// SHA-256 of operation, order and body in hex: what "the same request" means to a supplier that remembers keys.
    pub fingerprint: Arc<str>,
}
