//! Deterministic models of the world around a worker, for tests only: no I/O, no clock, no thread of their own.
//!
//! A model decides what the real thing may decide, including its worst; *when* things happen is the caller's to say,
//! so that a seed alone determines a whole run.
#![warn(missing_docs)]

pub mod broker;
pub mod clock;
pub mod random;
pub mod store;
pub mod store_suite;
pub mod vendor;
