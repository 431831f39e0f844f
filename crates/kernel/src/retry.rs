//! The schedule of retries: exponential with decorrelated jitter, so that lanes that failed together do not
//! come back together. A wait is never below `base` nor above `wait_max`.

use std::time::Duration;

use crate::pump::RetryPolicy;

/// The wait after `previous` (zero before the first): uniform between `base` and three times the previous one.
pub fn next_wait(policy: &RetryPolicy, previous: Duration, random: u64) -> Duration {
    let low = policy.base.min(policy.wait_max);
    let high = previous
        .max(low)
        .saturating_mul(3)
        .min(policy.wait_max)
        .max(low);
    let span = (high - low).as_nanos();
    // The product fits: a span below 2^95 nanoseconds times a fraction below 2^32.
    let drawn = span * u128::from(random >> 32) / u128::from(u32::MAX);
    low + from_nanos(drawn)
}

/// A duration from nanoseconds; a span of two durations always fits.
fn from_nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / SECOND).unwrap_or(u64::MAX);
    let rest = u32::try_from(nanos % SECOND).unwrap_or(0);
    Duration::new(seconds, rest)
}
