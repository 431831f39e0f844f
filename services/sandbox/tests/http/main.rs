//! The sandbox over real HTTP: the contract, repeats, receipts, faults, restarts, and hostile callers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod client;
mod contract;
mod faults;
mod hostile;
mod restart;
