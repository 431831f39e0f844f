//! The suites that need more than `cargo test`: seeds by the thousand, real servers, real processes, sabotage.
//!
//! Each suite is a module here and a command in `src/bin`, with an alias in `.cargo/config.toml`.

pub mod bad_input;
pub mod conformance;
pub mod grounds;
pub mod holding;
mod letters;
pub mod limits;
pub mod poison;
pub mod poisoned_orders;
pub mod protocol;
pub mod saboteurs;
pub mod servers;
pub mod shop;
pub mod simulation;
pub mod statements;
pub mod store_suite;
pub mod storm;
pub mod suite;
pub mod trial_worker;
pub mod unknown;
pub mod waiting;
pub mod webhooks;
