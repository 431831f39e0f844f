//! Vendor calls as data, and the one stack of layers that sends them.
//!
//! Clients in `vendors` make [`Call`]s; only the runtime sends them, through [`Stack`].
#![warn(missing_docs)]

mod call;
mod failure;
mod journal;

pub use argosy_kernel::claims::Repeat;
pub use call::{Call, Dependency, Lookup, Method, Recorded, Request, Response};
pub use failure::{Class, Decision, Failure};
pub use journal::{Admission, Journal, Outcome, Recall};
