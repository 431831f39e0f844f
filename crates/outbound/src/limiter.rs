//! How fast a dependency may be called: a weighted leaky bucket (GCRA), and a pause when the vendor asks for one.
//!
//! Pure: `now` is an argument. Invariant: within any span, no more tokens go out than the burst plus what the rate
//! yields in that span, and none before a pause is over.

use std::time::{Duration, Instant};

use crate::Rate;

#[derive(Debug)]
pub(crate) struct Limiter {
    rate: Option<Rate>,
    /// When the bucket would be empty again at the rate, had it been filled by all that was taken.
    drained_at: Instant,
    paused_until: Instant,
}

impl Limiter {
    pub(crate) fn new(rate: Option<Rate>, now: Instant) -> Self {
        Self {
            rate,
            drained_at: now,
            paused_until: now,
        }
    }

    /// How long a call of this cost would have to wait now.
    pub(crate) fn wait(&self, cost: u32, now: Instant) -> Duration {
        self.goes_at(cost, now).saturating_duration_since(now)
    }

    /// Takes the tokens, to be used after the wait that is returned; refuses if that were longer than `wait_max`.
    pub(crate) fn take(
        &mut self,
        cost: u32,
        now: Instant,
        wait_max: Duration,
    ) -> Result<Duration, Duration> {
        let goes_at = self.goes_at(cost, now);
        let wait = goes_at.saturating_duration_since(now);
        if wait > wait_max {
            return Err(wait);
        }
        self.drained_at = self.drained_at.max(goes_at) + self.weight(cost);
        Ok(wait)
    }

    /// Nothing goes out before `until`. A shorter pause never ends a longer one.
    pub(crate) fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(until);
    }

    fn goes_at(&self, cost: u32, now: Instant) -> Instant {
        let free_at = (self.drained_at + self.weight(cost))
            .checked_sub(self.depth())
            .unwrap_or(now);
        now.max(self.paused_until).max(free_at)
    }

    /// What one call adds to the bucket, as time. A call that costs more than the bucket holds fills it.
    fn weight(&self, cost: u32) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| {
            interval(rate) * cost.clamp(1, rate.burst.get())
        })
    }

    fn depth(&self) -> Duration {
        self.rate
            .map_or(Duration::ZERO, |rate| interval(rate) * rate.burst.get())
    }
}

fn interval(rate: Rate) -> Duration {
    Duration::from_secs(1) / rate.per_second.get()
}

#[cfg(test)]
mod tests;
