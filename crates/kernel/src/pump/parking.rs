//! Keys whose records wait in the store: what one partition knows of them in memory.
//!
//! Invariant: as long as a key has a stay, every later record of it goes to the store, behind what is there. So what
//! is in the store is older than what comes, and a key's order is the order of its rows.

mod api;
mod convoy;
mod enter;
mod hold;
mod leave;
mod outbox;
mod replay;
mod stays;
mod write;

pub use api::{
    Hold, Look, ParkFault, ParkNumber, ParkRecord, ParkWrite, ParkedLane, ParkedLoad, ParkedRecord,
    ParkedState, ParkingConfig, PlanStep, PlanStepKind, Replay,
};
pub(super) use convoy::{Awaited, Convoys};
pub(super) use outbox::Outbox;
pub(super) use stays::{Stay, StayIndex, Stays};
