//! Asks the journal, before every try, for the right to send, and sends the bytes that the journal holds.
//!
//! Invariant: nothing of an effect is sent without a claim; a lookup is sent instead of, never after, a claim.

use std::sync::Arc;

use argosy_kernel::Death;

use super::{
    Answer, Layer, Outgoing, Sending, Ticket,
    record::{as_json, record_success},
    unreadable_record,
};
use crate::{
    Admission, CallOutcome, Failure, Journal, Recorded, Request, account::Account, events,
};

pub(crate) struct Claim<L, N> {
    account: Arc<Account>,
    operation: &'static str,
    journal: Arc<dyn Journal>,
    look: Option<Look<L>>,
    next: N,
}

/// The lookup's request, and the layers that send it.
pub(crate) struct Look<L> {
    pub(crate) request: Request,
    pub(crate) layers: L,
}

pub(crate) fn claim<L, N>(
    account: &Arc<Account>,
    operation: &'static str,
    journal: &Arc<dyn Journal>,
    look: Option<Look<L>>,
    next: N,
) -> Claim<L, N> {
    Claim {
        account: Arc::clone(account),
        operation,
        journal: Arc::clone(journal),
        look,
        next,
    }
}

impl<T, L, N> Layer<Ticket> for Claim<L, N>
where
    T: Recorded,
    L: Layer<Sending, Out = Answer<Option<T>>>,
    N: Layer<Sending, Out = Answer<T>>,
{
    type Out = Answer<T>;

    async fn pass(&self, ticket: Ticket) -> Answer<T> {
        match self.journal.claim().await {
            Err(failure) => Answer::unsent(failure),
            Ok(Admission::Succeeded(json)) => match serde_json::from_slice(&json) {
                Ok(value) => {
                    events::outcome_recalled(&self.account.dependency, self.operation);
                    Answer::recalled(value)
                }
                Err(error) => Answer::unsent(unreadable_record(error)),
            },
            Ok(Admission::LookUp) => self.look_up(ticket).await,
            Ok(Admission::Send {
                request,
                sendable_until,
                repeat,
            }) => match Request::decode(&request) {
                Err(failure) => Answer::unsent(failure),
                Ok(request) => {
                    let uncertain = repeat || ticket.attempt.uncertain;
                    let idempotency_key = Some(self.journal.idempotency_key());
                    let sendable_until = Some(sendable_until);
                    let outgoing = Outgoing {
                        request,
                        idempotency_key,
                        sendable_until,
                    };
                    let answer = self
                        .next
                        .pass(Sending {
                            outgoing,
                            uncertain,
                            ticket,
                        })
                        .await;
                    Answer {
                        repeat: uncertain,
                        ..answer
                    }
                }
            },
        }
    }
}

impl<L, N> Claim<L, N> {
    async fn look_up<T>(&self, ticket: Ticket) -> Answer<T>
    where
        T: Recorded,
        L: Layer<Sending, Out = Answer<Option<T>>>,
        N: Sync,
    {
        let Some(look) = &self.look else {
            return Answer::unsent(self.unknown("and the call has no lookup"));
        };
        let outgoing = Outgoing {
            request: look.request.clone(),
            idempotency_key: None,
            sendable_until: None,
        };
        let mut answer = look
            .layers
            .pass(Sending {
                outgoing,
                uncertain: true,
                ticket,
            })
            .await;
        answer.repeat = true;
        let found = std::mem::replace(&mut answer.result, Ok(None));
        match found {
            Err(failure) => answer.with(Err(failure)),
            Ok(None) => answer.with(Err(self.unknown("and the vendor does not know it"))),
            Ok(Some(value)) => {
                let recorded = record_success(&*self.journal, as_json(&value)).await;
                answer.how = CallOutcome::LookedUp;
                answer.with(recorded.map(|()| value))
            }
        }
    }

    fn unknown(&self, why: &str) -> Failure {
        let Self {
            account, operation, ..
        } = self;
        let message = format!(
            "whether {operation} happened at {} is unknown, {why}; ask the vendor and resolve the effect",
            account.dependency
        );
        Failure::dead(Death::Ambiguous, message)
    }
}
