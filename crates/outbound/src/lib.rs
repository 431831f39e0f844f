//! Vendor calls as data, and the one stack of layers that sends them.
//!
//! Clients in `vendors` make [`Call`]s; only the runtime sends them, through [`Stack`].
#![warn(missing_docs)]

mod account;
mod breaker;
mod budget;
mod call;
mod client;
mod clock;
mod events;
mod failure;
mod jitter;
mod journal;
mod layers;
mod limiter;
mod report;
mod request_bytes;
mod secret;
mod settings;
mod stack;
mod status;
mod target;

pub use argosy_kernel::claims::Repeat;
pub use call::{Call, Dependency, Lookup, Method, Recorded, Request, Response};
pub use failure::{Class, Decision, Failure};
pub use journal::{Admission, Journal, Outcome, Recall};
pub use layers::record::OUTCOME_BYTES_MAX;
pub use report::{CallOutcome, CallReport};
pub use request_bytes::REQUEST_BYTES_MAX;
pub use secret::Secret;
pub use settings::{
    BreakerSettings, CALL_TIMEOUT_MAX, CONNECT_TIMEOUT, Credential, DependencySettings, Profile,
    RESPONSE_BYTES_MAX, Rate, StackError,
};
pub use stack::Stack;
pub use status::{RETRY_AFTER_MAX, classified, classify_status, retry_after, unreadable};
