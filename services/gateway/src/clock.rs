//! The one place of this crate that reads the wall clock, which is only ever written down, never compared.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the gateway's only reader of the wall clock"
)]
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time as answers show it; `None` for one outside the calendar.
pub(crate) fn shown(at_ms: i64) -> Option<String> {
    Timestamp::from_millisecond(at_ms)
        .ok()
        .map(|time| format!("{time:.3}"))
}
