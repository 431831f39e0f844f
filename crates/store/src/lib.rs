//! The store: owners, claims, parked records, dead letters, timelines, audit. One port, coarse batch operations, adapters behind it.
#![warn(missing_docs)]

mod group;
mod letters;
pub mod limits;
mod parked;
mod port;
mod postgres;
mod suspects;

pub use group::{BATCHES_IN_FLIGHT_MAX, GROUP_ITEMS_MAX, Grouped, QUEUE_ITEMS_MAX};
pub use letters::{
    DueStep, Letter, LetterId, LetterIdError, LetterPlace, LetterQuestion, LetterRow, LetterState,
    PlanStepAnswer, PlanStepKind, PlanStepRefusal,
};
pub use parked::{
    FoundLane, FoundParked, HeldLane, LoadedRow, ParkAnswer, ParkChange, ParkLoad, ParkedLook,
    ParkedRow, ReplayedRow,
};
pub use port::{
    AuditRow, Claim, ClaimAnswer, EffectId, EffectRow, EffectState, EventKey, EventStatus,
    OutcomeRow, OwnerKey, RecordedOutcome, Resolution, Resolved, Store, StoreError, TimelinePlace,
    TimelineRow, finality,
};
pub use postgres::Postgres;
pub use suspects::{FoundSuspect, LeftRecord, LeftRunning};
