//! The fault script: rules that say which calls go wrong, and how.
//!
//! The first rule that matches ends the search, except that latencies add up: a latency rule is taken and the search
//! goes on. A rule with `times` or `probability` that does not strike is passed over.

mod chance;
mod glob;
mod rule;
mod script;

pub(crate) use rule::Effect;
pub(crate) use script::{Script, Target};
