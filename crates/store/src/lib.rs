//! The store: owners, claims, timelines, audit. One port, coarse batch operations, adapters behind it.
#![warn(missing_docs)]

mod group;
pub mod limits;
mod parked;
mod port;
mod postgres;
mod suspects;

pub use group::{BATCHES_IN_FLIGHT_MAX, GROUP_ITEMS_MAX, Grouped, QUEUE_ITEMS_MAX};
pub use parked::{
    FoundLane, FoundParked, LoadedRow, ParkAnswer, ParkChange, ParkLoad, ParkedLook, ParkedRow,
};
pub use port::{
    AuditRow, Claim, ClaimAnswer, EffectId, EffectRow, EffectState, EventKey, EventStatus,
    OutcomeRow, OwnerKey, RecordedOutcome, Resolution, Resolved, Store, StoreError, TimelinePlace,
    TimelineRow, finality,
};
pub use postgres::Postgres;
pub use suspects::{FoundSuspect, LeftRecord, LeftRunning};
