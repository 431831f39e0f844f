//! The virtual clock: time passes only where a test says so, and never backwards.

use argosy_kernel::Time;

/// A clock that stands still until it is advanced.
#[derive(Clone, Copy, Debug, Default)]
pub struct VirtualClock {
    now: Time,
}

impl VirtualClock {
    /// A clock at its zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The moment it shows.
    pub fn now(self) -> Time {
        self.now
    }

    /// Moves on to `at`; a moment already passed leaves the clock where it is.
    pub fn advance_to(&mut self, at: Time) {
        self.now = self.now.max(at);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_never_runs_backwards() {
        let mut clock = VirtualClock::new();
        clock.advance_to(Time(Duration::from_secs(5)));
        clock.advance_to(Time(Duration::from_secs(3)));
        assert_eq!(clock.now(), Time(Duration::from_secs(5)));
    }
}
