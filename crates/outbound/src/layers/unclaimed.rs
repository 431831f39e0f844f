//! In place of the claim for calls that change nothing: they may be sent at any time, by anybody.

use super::{Answer, Layer, Outgoing, Sending, Ticket};
use crate::Request;

pub(crate) struct Unclaimed<N> {
    request: Request,
    next: N,
}

pub(crate) fn unclaimed<N>(request: Request, next: N) -> Unclaimed<N> {
    Unclaimed { request, next }
}

impl<T: Send, N: Layer<Sending, Out = Answer<T>>> Layer<Ticket> for Unclaimed<N> {
    type Out = Answer<T>;

    async fn pass(&self, ticket: Ticket) -> Answer<T> {
        let outgoing = Outgoing {
            request: self.request.clone(),
            idempotency_key: None,
            sendable_until: None,
        };
        self.next
            .pass(Sending {
                outgoing,
                uncertain: false,
                ticket,
            })
            .await
    }
}
