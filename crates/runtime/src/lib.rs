//! Runs the kernel against broker, store and outbound: [`Worker`], [`Handler`], [`Context`].
//!
//! # Behaviour
//!
//! - One task owns consumer and pump, on a thread of its own; handlers run on the caller's multi-thread runtime.
//! - A record settles only after the events it emitted, or its dead letter, are acknowledged by the broker; its
//!   offset is committed only after the timeline batch that tells of it is acknowledged too.
//! - An effect is claimed in the store before it is sent, under the epoch of the partition's owner; a recorded
//!   success is returned without calling. A call that was sent runs on when its run is dropped, and records its
//!   outcome.
//! - A failed run emits nothing; its effects stay.
//! - A panic in a handler is an attempt. A run past its deadline is dropped: inside a vendor call that is a
//!   deferral, elsewhere an attempt.
//! - What is running stands in a slots file, if there is a state folder. After a crash the next start tells the store
//!   of it before it joins the group; such a record waits a moment and then runs with nothing beside it in its
//!   worker. Three deaths of the process while it ran alone, and it is dead, `crashed`.
//! - A record of the topic of dead letters that would die is settled where it lies, with a line in the log: a letter
//!   has no letter of its own, so no fault of whoever reads letters can make ever more of them.
//! - At a revoke handlers have the drain budget to end; then they are dropped, and only then the partitions are let
//!   go. On a lost membership they are dropped at once and nothing is committed.
#![warn(missing_docs)]

mod clock;
mod context;
mod dead_letter;
mod delivered;
mod emit;
mod event;
mod handler;
mod health;
mod journal;
mod owner;
mod process;
mod raw;
mod run;
mod slots;
mod telemetry;
mod timeline;
mod trial;
mod worker;

pub use context::Context;
pub use event::Event;
pub use handler::{Handler, Needs, Outcome};
pub use health::{Health, Snapshot};
pub use process::{Parts, RuntimeError, Settings, run};
pub use raw::{RawHandler, RawRecord};
pub use slots::AloneTurn;
pub use timeline::TIMELINES_TOPIC;
pub use trial::{Trial, trial};
pub use worker::Worker;
