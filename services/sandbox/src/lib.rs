//! Stand-ins for suppliers over real HTTP, faithful to the neutral supplier contract, with fault scripts and receipts.
//!
//! One process, one listener; a supplier's base URL is `http://<listen>/suppliers/<name>`.
//!
//! # Behaviour
//!
//! * **Repeats.** Each supplier has one [`RepeatClass`], which decides what a second identical call does.
//! * **Receipts.** Every accepted call is one JSON line in the receipts file, synced to disk before it is answered
//!   (see [`Receipt`]). Refusals, lookups and calls that a fault kept from being accepted leave no line. A receipts
//!   file that cannot be written ends the process: a judge who cannot write must not go on.
//! * **Memory.** A supplier does not forget when it restarts: its state is rebuilt from the receipts. Bounds are
//!   [`ORDERS_KEPT_MAX`] orders and [`KEYS_KEPT_MAX`] remembered keys per supplier; past them the oldest is forgotten,
//!   with a warning.
//! * **A caller that goes away** does not stop its call: what was received is accepted all the same.
//! * **Faults** are a list of rules which can be changed while it runs (`PUT /__control/faults`).
#![warn(missing_docs)]

mod app;
mod authorization;
mod call;
mod clock;
mod control;
mod draft_order;
mod endpoints;
mod error;
mod faults;
mod idempotency_key;
mod json_body;
mod ledger;
mod order;
mod problem;
mod receipt;
mod receipt_file;
mod router;
mod server;
mod settings;

pub use error::SandboxError;
pub use ledger::{KEYS_KEPT_MAX, ORDERS_KEPT_MAX};
pub use receipt::{Effect, Operation, Receipt};
pub use server::{Sandbox, serve};
pub use settings::{RepeatClass, RepeatClassError, Settings, SupplierSettings};
