//! Lets no call through to a dependency that is down, but trials.
//!
//! The inward half of the breaker; `learn` is its outward half, at the place where results are classified.

use std::{sync::Arc, time::Duration};

use argosy_kernel::Waiting;

use super::{Answer, Layer, Slotted, Ticket, waits};
use crate::{account::Account, clock};

/// A wait is told as at least this long.
const WAIT_MIN: Duration = Duration::from_millis(100);

pub(crate) struct Breaker<N> {
    account: Arc<Account>,
    next: N,
}

pub(crate) fn breaker<N>(account: &Arc<Account>, next: N) -> Breaker<N> {
    Breaker {
        account: Arc::clone(account),
        next,
    }
}

impl<T: Send, N: Layer<Ticket, Out = Answer<T>>> Layer<Slotted> for Breaker<N> {
    type Out = Answer<T>;

    async fn pass(&self, Slotted { attempt, slot }: Slotted) -> Answer<T> {
        match self.account.admit(clock::now()) {
            Ok(admitted) => {
                self.next
                    .pass(Ticket {
                        attempt,
                        slot,
                        admitted,
                    })
                    .await
            }
            Err(wait) => {
                let dependency = &self.account.dependency;
                let cause = Waiting::Dependency(Arc::clone(&dependency.0));
                let message = format!("{dependency} is down; its breaker is open");
                Answer::unsent(waits(cause, wait.max(WAIT_MIN), message))
            }
        }
    }
}
