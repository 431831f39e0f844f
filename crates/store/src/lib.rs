//! The store: owners, claims, timelines, audit. One port, coarse batch operations, adapters behind it.
#![warn(missing_docs)]

pub mod limits;
mod port;

pub use port::{
    AuditRow, Claim, ClaimAnswer, EffectId, EffectRow, EffectState, EventKey, EventStatus,
    OutcomeRow, OwnerKey, RecordedOutcome, Resolution, Resolved, Store, StoreError, TimelineRow,
    is_final,
};
