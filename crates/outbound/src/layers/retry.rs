//! Tries again, within a budget, what is safe to try again.
//!
//! Invariant: what may have happened is tried again only if the vendor recognises the repeat; at most [`TRIES_MAX`]
//! tries are sent, and a vendor's wish for a longer wait than [`RETRY_AFTER_IN_RUN_MAX`] ends the call.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{Waiting, claims::CLAIMED_RECHECK};

use super::{Answer, Attempt, Layer, waits};
use crate::{
    CallOutcome, Class,
    account::Account,
    budget::{THROTTLED_COST, TRANSIENT_COST},
    events,
    jitter::Jitter,
};

/// Tries of one call.
pub(crate) const TRIES_MAX: u32 = 3;

/// A vendor's `Retry-After` is waited for within the run up to this; a longer one ends the run.
pub(crate) const RETRY_AFTER_IN_RUN_MAX: Duration = Duration::from_secs(5);

/// A claim that expires before it is used is asked for anew so often.
const STALE_MAX: u32 = 3;

const TRANSIENT_BASE: Duration = Duration::from_millis(50);
const THROTTLED_BASE: Duration = Duration::from_secs(1);

pub(crate) struct Retry<N> {
    account: Arc<Account>,
    operation: &'static str,
    repeatable: bool,
    jitter: Arc<Jitter>,
    next: N,
}

pub(crate) fn retry<N>(
    account: &Arc<Account>,
    operation: &'static str,
    repeatable: bool,
    jitter: &Arc<Jitter>,
    next: N,
) -> Retry<N> {
    Retry {
        account: Arc::clone(account),
        operation,
        repeatable,
        jitter: Arc::clone(jitter),
        next,
    }
}

/// What a further try costs and how long to wait for it.
struct Again {
    cost: u32,
    wait: Duration,
}

impl<T: Send, N: Layer<Attempt, Out = Answer<T>>> Layer<()> for Retry<N> {
    type Out = Answer<T>;

    async fn pass(&self, (): ()) -> Answer<T> {
        let (mut tries, mut stale, mut cost, mut uncertain, mut status) = (0, 0, 0, false, None);
        loop {
            let mut answer = self.next.pass(Attempt { uncertain }).await;
            tries += answer.tries;
            status = answer.status.or(status);
            answer.tries = tries;
            answer.status = status;
            if answer.stale {
                stale += 1;
                events::claim_stale(&self.account.dependency, self.operation);
                if stale < STALE_MAX {
                    continue;
                }
                return given_up(answer);
            }
            let Err(failure) = &answer.result else {
                // A success without a call says nothing of the vendor.
                if answer.how != CallOutcome::Recalled {
                    self.account.succeeded(cost);
                }
                return answer;
            };
            uncertain |= failure.class == Some(Class::Ambiguous);
            let again = failure
                .class
                .as_ref()
                .and_then(|class| self.again(class, tries));
            let Some(again) = again.filter(|again| self.account.spend(again.cost)) else {
                return answer;
            };
            cost = again.cost;
            tokio::time::sleep(again.wait).await;
        }
    }
}

impl<N> Retry<N> {
    fn again(&self, class: &Class, tries: u32) -> Option<Again> {
        if tries >= TRIES_MAX {
            return None;
        }
        let (cost, base, asked) = match class {
            Class::Throttled(asked) => (THROTTLED_COST, THROTTLED_BASE, *asked),
            Class::NotExecuted(asked) => (TRANSIENT_COST, TRANSIENT_BASE, *asked),
            Class::Ambiguous if self.repeatable => (TRANSIENT_COST, TRANSIENT_BASE, None),
            Class::Ambiguous
            | Class::Conflict
            | Class::Quota
            | Class::Unauthorized
            | Class::Permanent => return None,
        };
        let wait =
            asked.unwrap_or_else(|| self.jitter.below(base * 2_u32.pow(tries.saturating_sub(1))));
        (wait <= RETRY_AFTER_IN_RUN_MAX).then_some(Again { cost, wait })
    }
}

fn given_up<T>(answer: Answer<T>) -> Answer<T> {
    let message = format!(
        "the claim expired {STALE_MAX} times before its request was sent; the process is too slow"
    );
    answer.with(Err(waits(Waiting::Claimed, CLAIMED_RECHECK, message)))
}
