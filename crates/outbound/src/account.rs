//! One dependency as this process knows it: where it is, and what breaker, limiter and budget hold of it.
//!
//! Invariant: the locks are held for a few instructions and never over an await.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use argosy_kernel::Waiting;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    Dependency, DependencySettings,
    breaker::{Admission, Breaker, Verdict},
    budget::Budget,
    clock, events,
    limiter::Limiter,
    target::Target,
};

/// A run waits this long for a token, a slot or the end of a pause; what takes longer ends it, without an attempt.
pub(crate) const WAIT_IN_RUN_MAX: Duration = Duration::from_secs(1);

/// A trial whose result never came gives its place back this long after its call's timeout.
const LEASE_GRACE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) dependency: Dependency,
    pub(crate) call_timeout: Duration,
    pub(crate) target: Arc<Target>,
    slots: Arc<Semaphore>,
    limiter: Mutex<Limiter>,
    breaker: Mutex<Breaker>,
    budget: Mutex<Budget>,
}

impl Account {
    pub(crate) fn new(settings: &DependencySettings, target: Target, now: Instant) -> Self {
        events::breaker_state(&settings.dependency, false);
        Self {
            dependency: settings.dependency.clone(),
            call_timeout: settings.call_timeout,
            target: Arc::new(target),
            slots: Arc::new(Semaphore::new(settings.concurrent_max.get() as usize)),
            limiter: Mutex::new(Limiter::new(settings.rate, now)),
            breaker: Mutex::new(Breaker::new(
                settings.breaker,
                settings.call_timeout + LEASE_GRACE,
            )),
            budget: Mutex::new(Budget::new()),
        }
    }

    /// Whether a run that needs this dependency should start now. No token is taken.
    pub(crate) fn admits(&self, now: Instant) -> Result<(), (Waiting, Duration)> {
        let wait = locked(&self.limiter).wait(1, now);
        if wait > WAIT_IN_RUN_MAX {
            return Err((Waiting::Quota(Arc::clone(&self.dependency.0)), wait));
        }
        let admits = locked(&self.breaker).admits(now);
        admits.map_err(|wait| (Waiting::Dependency(Arc::clone(&self.dependency.0)), wait))
    }

    /// Tokens for a call, to be used after the wait that is returned.
    pub(crate) fn take_tokens(&self, cost: u32, now: Instant) -> Result<Duration, Duration> {
        locked(&self.limiter).take(cost, now, WAIT_IN_RUN_MAX)
    }

    /// A place among the calls under way; `None` if none was free in time.
    pub(crate) async fn take_slot(&self) -> Option<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.slots).acquire_owned();
        let slot = tokio::time::timeout(WAIT_IN_RUN_MAX, slot).await.ok()?;
        Some(slot.expect("the semaphore is never closed"))
    }

    /// The breaker's word on one call.
    pub(crate) fn admit(self: &Arc<Self>, now: Instant) -> Result<Admitted, Duration> {
        let admission = locked(&self.breaker).admit(now)?;
        Ok(Admitted {
            account: Arc::clone(self),
            admission: Some(admission),
        })
    }

    /// The vendor asked for a pause.
    pub(crate) fn pause(&self, pause: Duration, now: Instant) {
        locked(&self.limiter).pause(now + pause);
    }

    pub(crate) fn spend(&self, cost: u32) -> bool {
        locked(&self.budget).spend(cost)
    }

    pub(crate) fn succeeded(&self, last_cost: u32) {
        locked(&self.budget).succeeded(last_cost);
    }
}

/// The right to make one call. Dropped without a verdict, it says nothing of the dependency.
#[derive(Debug)]
pub(crate) struct Admitted {
    account: Arc<Account>,
    admission: Option<Admission>,
}

impl Admitted {
    /// What the call says of its dependency.
    pub(crate) fn finished(mut self, verdict: Verdict) {
        let Some(admission) = self.admission.take() else {
            return;
        };
        let turn = locked(&self.account.breaker).finished(&admission, verdict, clock::now());
        if let Some(turn) = turn {
            events::breaker_turned(&self.account.dependency, turn, verdict);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take() {
            locked(&self.account.breaker).abandoned(&admission);
        }
    }
}

/// A poisoned lock holds numbers that are still numbers: a panic elsewhere must not stop all calls.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
