//! The one place of this crate that reads clocks: the monotonic one (tokio's, so that paused tests control it) and
//! the wall clock, which is only ever written down, never compared.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use argosy_kernel::Time;
use tokio::time::Instant;

/// Start of the instance's own time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// The kernel's `now`.
    pub(crate) fn now(self) -> Time {
        Time(self.start.elapsed())
    }

    /// A kernel time as a deadline to sleep to.
    pub(crate) fn instant(self, time: Time) -> Instant {
        self.start + time.0
    }
}

/// Wall time.
#[expect(
    clippy::disallowed_methods,
    reason = "the runtime's only reader of the wall clock"
)]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// Milliseconds since 1970.
pub(crate) fn wall_ms() -> i64 {
    let since = wall().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
