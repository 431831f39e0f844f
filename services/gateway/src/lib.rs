//! The gateway: takes events in over HTTP and tells what happened to them.
//!
//! # Behaviour
//!
//! - 202 is answered only after the broker acknowledged the events of a request and their `accepted` step, together.
//! - A request is answered within `gateway.deadline_ms`. An intake that is not acknowledged by then answers 503, which
//!   means: unknown, send it again with the same id. The repetition is the same event.
//! - More than `gateway.in_flight_max` requests under way, or a full producer queue, answer 429.
//! - Every error is a problem document (RFC 9457) that names the field at fault and says nothing of the inside.
//! - Headers, bodies, connections and rows are bounded by named limits.
//! - At the end readiness flips first, then new connections end, then requests under way finish.

mod clock;
mod endpoints;
mod intake;
mod layers;
mod problem;
mod request;
mod routes;
mod server;
mod telemetry;
mod watch;

pub use routes::{Api, router};
pub use server::{GatewayError, Parts, serve};
