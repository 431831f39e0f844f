//! Feeds limiter and breaker with what a classified answer says of its dependency: the outward half of both.
//!
//! Invariant: vendor-wide faults count and the record's own do not; a try that was not sent says nothing.

use std::{sync::Arc, time::Duration};

use super::{Answer, Layer, Outgoing, Sending, Ticket};
use crate::{Class, account::Account, breaker::Verdict, clock};

/// A pause after being throttled without being told for how long.
const PAUSE_DEFAULT: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(crate) struct Learn<N> {
    account: Arc<Account>,
    next: N,
}

pub(crate) fn learn<N>(account: &Arc<Account>, next: N) -> Learn<N> {
    Learn {
        account: Arc::clone(account),
        next,
    }
}

impl<T: Send, N: Layer<Outgoing, Out = Answer<T>>> Layer<Sending> for Learn<N> {
    type Out = Answer<T>;

    async fn pass(&self, sending: Sending) -> Answer<T> {
        let Sending {
            outgoing, ticket, ..
        } = sending;
        let Ticket { admitted, slot, .. } = ticket;
        let answer = self.next.pass(outgoing).await;
        drop(slot);
        if let Some(Class::Throttled(asked)) = answer.class() {
            self.account
                .pause(asked.unwrap_or(PAUSE_DEFAULT), clock::now());
        }
        if answer.tries > 0 {
            admitted.finished(verdict(answer.class(), answer.status));
        }
        answer
    }
}

/// A vendor whose answer cannot be read, or that points elsewhere, is up: whether it acted is that one call's doubt.
fn verdict(class: Option<&Class>, status: Option<u16>) -> Verdict {
    match class {
        Some(Class::Ambiguous) if status.is_some_and(|status| status < 400) => Verdict::Healthy,
        None | Some(Class::Conflict | Class::Quota | Class::Permanent) => Verdict::Healthy,
        Some(Class::Throttled(_) | Class::NotExecuted(_) | Class::Ambiguous) => Verdict::Fault,
        Some(Class::Unauthorized) => Verdict::Unauthorized,
    }
}
