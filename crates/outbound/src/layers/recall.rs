//! Returns a recorded success without calling.
//!
//! Invariant: what the journal holds as a success is never called again, not even when it cannot be read.

use std::sync::Arc;

use super::{Answer, Layer, unreadable_record};
use crate::{Journal, Recall as Recalled, Recorded, account::Account, events};

pub(crate) struct Recall<N> {
    account: Arc<Account>,
    operation: &'static str,
    journal: Arc<dyn Journal>,
    next: N,
}

pub(crate) fn recall<N>(
    account: &Arc<Account>,
    operation: &'static str,
    journal: &Arc<dyn Journal>,
    next: N,
) -> Recall<N> {
    Recall {
        account: Arc::clone(account),
        operation,
        journal: Arc::clone(journal),
        next,
    }
}

impl<T: Recorded, N: Layer<(), Out = Answer<T>>> Layer<()> for Recall<N> {
    type Out = Answer<T>;

    async fn pass(&self, (): ()) -> Answer<T> {
        match self.journal.recall().await {
            Ok(Recalled::Unknown) => self.next.pass(()).await,
            Ok(Recalled::Succeeded(json)) => match serde_json::from_slice(&json) {
                Ok(value) => {
                    events::outcome_recalled(&self.account.dependency, self.operation);
                    Answer::recalled(value)
                }
                Err(error) => Answer::unsent(unreadable_record(error)),
            },
            Err(failure) => Answer::unsent(failure),
        }
    }
}
