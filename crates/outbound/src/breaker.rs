//! When a dependency counts as down: opens on vendor-wide faults in a row, tries again ever more rarely, ramps back.
//!
//! Pure: `now` is an argument. Invariant: a result counts only in the generation in which its call was admitted, and
//! while half open no more calls are under way than trials have succeeded, plus one.

use std::time::{Duration, Instant};

use crate::BreakerSettings;

/// A trial that was asked for at the gate is kept for its run for this long.
const RESERVED_FOR: Duration = Duration::from_millis(500);

/// While half open and fully used, ask again after this long.
const HALF_OPEN_RECHECK: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Breaker {
    settings: BreakerSettings,
    /// A trial without result gives its place back after this long.
    lease: Duration,
    generation: u64,
    leases_given: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Closed {
        faults: u32,
    },
    Open {
        until: Instant,
        interval: Duration,
    },
    HalfOpen {
        interval: Duration,
        succeeded: u32,
        leases: Vec<Lease>,
        reserved_until: Vec<Instant>,
    },
}

#[derive(Debug)]
struct Lease {
    number: u64,
    expires: Instant,
}

/// The right to make one call.
#[derive(Debug)]
pub(crate) struct Admission {
    generation: u64,
    /// The lease of a trial; `None` while closed.
    lease: Option<u64>,
}

/// What a call says about its dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered; whether it liked the request is another matter.
    Healthy,
    /// A fault that others would meet too.
    Fault,
    /// It refuses our credential: others would meet that at once.
    Unauthorized,
}

/// A change of state worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// No calls for this long.
    Opened(Duration),
    /// Calls run freely again.
    Closed,
}

impl Breaker {
    pub(crate) fn new(settings: BreakerSettings, lease: Duration) -> Self {
        let state = State::Closed { faults: 0 };
        Self {
            settings,
            lease,
            generation: 0,
            leases_given: 0,
            state,
        }
    }

    /// Whether a run that needs this dependency should start; while half open this reserves a trial for it.
    pub(crate) fn admits(&mut self, now: Instant) -> Result<(), Duration> {
        self.look(now)?;
        let State::HalfOpen {
            succeeded,
            leases,
            reserved_until,
            ..
        } = &mut self.state
        else {
            return Ok(());
        };
        if leases.len() + reserved_until.len() > *succeeded as usize {
            return Err(HALF_OPEN_RECHECK);
        }
        reserved_until.push(now + RESERVED_FOR);
        Ok(())
    }

    /// The right to make a call now, or how long to wait before asking again.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<Admission, Duration> {
        self.look(now)?;
        let generation = self.generation;
        let State::HalfOpen {
            succeeded,
            leases,
            reserved_until,
            ..
        } = &mut self.state
        else {
            return Ok(Admission {
                generation,
                lease: None,
            });
        };
        if leases.len() > *succeeded as usize {
            return Err(HALF_OPEN_RECHECK);
        }
        reserved_until.pop();
        self.leases_given += 1;
        let number = self.leases_given;
        leases.push(Lease {
            number,
            expires: now + self.lease,
        });
        Ok(Admission {
            generation,
            lease: Some(number),
        })
    }

    /// What came of an admitted call.
    pub(crate) fn finished(
        &mut self,
        admission: &Admission,
        verdict: Verdict,
        now: Instant,
    ) -> Option<Turn> {
        if admission.generation != self.generation {
            return None;
        }
        match (&mut self.state, verdict) {
            (State::Closed { faults }, Verdict::Healthy) => {
                *faults = 0;
                None
            }
            (State::Closed { faults }, Verdict::Fault) => {
                *faults += 1;
                let full = *faults >= self.settings.faults_to_open.get();
                full.then(|| self.open(self.settings.open_min, now))
            }
            (State::Closed { .. }, Verdict::Unauthorized) => {
                Some(self.open(self.settings.open_min, now))
            }
            (
                State::HalfOpen {
                    succeeded, leases, ..
                },
                Verdict::Healthy,
            ) => {
                leases.retain(|lease| Some(lease.number) != admission.lease);
                *succeeded += 1;
                let enough = *succeeded >= self.settings.trials_to_close.get();
                enough.then(|| self.close())
            }
            (State::HalfOpen { interval, .. }, Verdict::Fault | Verdict::Unauthorized) => {
                let longer = interval.saturating_mul(2).min(self.settings.open_max);
                Some(self.open(longer, now))
            }
            // Nothing is admitted while open, so nothing of this generation can end.
            (State::Open { .. }, _) => None,
        }
    }

    /// An admitted call came to nothing that says anything of the dependency: its trial is free again.
    pub(crate) fn abandoned(&mut self, admission: &Admission) {
        if let State::HalfOpen { leases, .. } = &mut self.state {
            leases.retain(|lease| Some(lease.number) != admission.lease);
        }
    }

    /// Lets time pass: the end of an open interval is the beginning of trials.
    fn look(&mut self, now: Instant) -> Result<(), Duration> {
        match &mut self.state {
            State::Closed { .. } => Ok(()),
            State::Open { until, .. } if now < *until => Err(*until - now),
            State::Open { interval, .. } => {
                let interval = *interval;
                self.generation += 1;
                self.state = State::HalfOpen {
                    interval,
                    succeeded: 0,
                    leases: Vec::new(),
                    reserved_until: Vec::new(),
                };
                Ok(())
            }
            State::HalfOpen {
                leases,
                reserved_until,
                ..
            } => {
                leases.retain(|lease| now < lease.expires);
                reserved_until.retain(|until| now < *until);
                Ok(())
            }
        }
    }

    fn open(&mut self, interval: Duration, now: Instant) -> Turn {
        self.generation += 1;
        self.state = State::Open {
            until: now + interval,
            interval,
        };
        Turn::Opened(interval)
    }

    fn close(&mut self) -> Turn {
        self.generation += 1;
        self.state = State::Closed { faults: 0 };
        Turn::Closed
    }
}

#[cfg(test)]
mod tests;
