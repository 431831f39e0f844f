//! Vendor calls as data, and the one stack of layers that sends them.
//!
//! Clients in `vendors` make [`Call`]s; only the runtime sends them, through [`Stack`].
//!
//! # Behaviour
//!
//! - **Layers**, outermost first: span and metrics, recall, retry, limiter, breaker, claim, classify, timeout, HTTP. The
//!   list stands in `stack.rs` and nowhere else.
//! - **Once.** A recorded success is returned without calling. Before every try the claim is asked for anew, and its
//!   age is looked at last before the request goes to the socket. The bytes sent are those that the claim holds.
//! - **Known.** From the hand-over on, a try runs in a task of its own: when the run is dropped, the call runs on and
//!   its outcome is recorded. A success is returned only once it is recorded. Known not to have happened is recorded
//!   only if no earlier try may have been received. An unknown outcome is not recorded.
//! - **Classes.** No connection, 421, 425 and 503 are not executed; 429 is throttled; 401, 403 and 407 are unauthorized;
//!   402 is quota; 409 and 412 are conflicts; other 4xx are permanent; all else that is not 2xx, also a redirect, a
//!   timeout, a broken connection and an unreadable 2xx, is ambiguous. A client may know better.
//! - **Retried**: throttled, not executed, and, if the vendor recognises a repeat, ambiguous. At most 3 tries; a
//!   bucket of 500 tokens per dependency pays 14 for a transient fault and 5 for being throttled; waits are full jitter
//!   from 50 ms and 1 s. A `Retry-After` up to 5 s is waited for; a longer one ends the run. At most 1 s is waited for a
//!   token or a place.
//! - **Bounded**: requests 64 KiB, answers 1 MiB, outcomes 64 KiB, a try by its dependency's timeout, connecting by 1 s,
//!   calls under way by `concurrent_max`.
//! - **Refused**: redirects, proxies from the environment, and in production whatever is not https to a public address,
//!   by its name and by what the name resolves to, unless the host is allowed by name.
//! - **Measured**: `argosy_call_seconds`, `argosy_call_tries_total`, `argosy_breaker_state`,
//!   `argosy_outcomes_recalled_total`, `argosy_claims_stale_total`.
//! - **Not told**: bodies, paths, credentials and a vendor's own words are in no log, error or Debug.
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
pub use call::{Call, Dependency, Lookup, Method, Read, Recorded, Request, Response};
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
