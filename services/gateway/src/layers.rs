//! What every request passes, in the order of `routes.rs`.

mod deadline;
mod in_flight;
mod measure;
mod panic;
mod request_id;
mod security_headers;

pub(crate) use deadline::deadline;
pub(crate) use in_flight::in_flight;
pub(crate) use measure::measure;
pub(crate) use panic::panicked;
pub(crate) use request_id::{RequestId, request_id};
pub(crate) use security_headers::security_headers;
