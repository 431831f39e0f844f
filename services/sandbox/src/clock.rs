//! The one place that reads the wall clock; everything else is told the time.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the sandbox's only reader of the wall clock"
)]
pub(crate) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// RFC 3339, in UTC.
pub(crate) fn rfc3339(at_ns: i64) -> String {
    Timestamp::from_nanosecond(i128::from(at_ns))
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}
