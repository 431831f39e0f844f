//! The gateway: takes events in over HTTP and tells what happened to them.
//!
//! # Behaviour
//!
//! - 202 is answered only after the broker acknowledged the events of a request and their `accepted` step, together.
//! - A request is answered within `gateway.deadline_ms`. An intake that is not acknowledged by then answers 503, which
//!   means: unknown, send it again with the same id. The repetition is the same event. A body that did not arrive by then
//!   answers 408: nothing was done.
//! - An event that its topic cannot take answers 413, one that the broker refuses for good 500: it is not asked for again.
//! - More than `gateway.in_flight_max` requests under way, or a full producer queue, answer 429.
//! - Every error is a problem document (RFC 9457) that names the field at fault and says nothing of the inside.
//! - Headers, bodies, connections and rows are bounded by named limits; idle connections make room for new ones.
//! - At the end readiness flips first, then new connections end, then requests under way finish.

mod clock;
mod connections;
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
