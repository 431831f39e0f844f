//! The pure part of Argosy: what to do next, decided from values alone.
//!
//! Nothing here reads a clock, draws a random number, logs, blocks or does I/O: `now` and the seed are
//! arguments, and every effect on the world is returned as an [`Action`]. The crate has no dependency,
//! which is the proof of that.
#![warn(missing_docs)]

mod cause;
pub mod claims;
mod ids;
pub mod ledger;
mod pump;
mod random;
pub mod retry;

pub use cause::{Death, Waiting};
pub use ids::{
    Assignment, CommitNumber, Epoch, LaneKey, LoadNumber, Offset, Partition, PlanStepNumber,
    RevokeNumber, StepNumber, Time, TopicIndex,
};
pub use ledger::MapFault;
pub use pump::{
    Abort, Action, At, CommitResult, Committed, Dispatch, Held, Hold, Input, LaneState, LaneView,
    Look, Order, ParkFault, ParkNumber, ParkRecord, ParkWrite, Parked, ParkedLane, ParkedLoad,
    ParkedRecord, ParkedState, ParkingConfig, PlanStep, PlanStepKind, Pump, PumpConfig, Record,
    Replay, RetryPolicy, RunEnd, RunRecord, Settle, Suspect, WriteFault,
};
