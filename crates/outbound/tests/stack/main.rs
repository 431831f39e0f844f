//! The stack against a vendor over real HTTP: what is sent, what is recorded, what comes back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod breaking;
mod calls;
mod classes;
mod ends;
mod journal;
mod limits;
mod lookups;
mod reads;
mod settings;
mod vendor;
