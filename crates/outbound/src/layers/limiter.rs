//! Waits shortly for a token and a place among the calls under way, or ends the run.
//!
//! Invariant: no call passes faster than the dependency's rate, during a pause that the vendor asked for, or beside
//! more calls than are allowed at once.

use std::sync::Arc;

use argosy_kernel::Waiting;

use super::{Answer, Attempt, Layer, Slotted, waits};
use crate::{
    account::{Account, WAIT_IN_RUN_MAX},
    clock,
};

pub(crate) struct Limit<N> {
    account: Arc<Account>,
    cost: u32,
    next: N,
}

pub(crate) fn limiter<N>(account: &Arc<Account>, cost: u32, next: N) -> Limit<N> {
    Limit {
        account: Arc::clone(account),
        cost,
        next,
    }
}

impl<T: Send, N: Layer<Slotted, Out = Answer<T>>> Layer<Attempt> for Limit<N> {
    type Out = Answer<T>;

    async fn pass(&self, attempt: Attempt) -> Answer<T> {
        let dependency = &self.account.dependency;
        let quota = || Waiting::Quota(Arc::clone(&dependency.0));
        let Some(slot) = self.account.take_slot().await else {
            let message =
                format!("{dependency} has as many calls under way as are allowed at once");
            return Answer::unsent(waits(quota(), WAIT_IN_RUN_MAX, message));
        };
        match self.account.take_tokens(self.cost, clock::now()) {
            Ok(wait) => tokio::time::sleep(wait).await,
            Err(wait) => {
                let message = format!(
                    "{dependency} may not be called faster than its rate, or asked for a pause"
                );
                return Answer::unsent(waits(quota(), wait, message));
            }
        }
        self.next.pass(Slotted { attempt, slot }).await
    }
}
