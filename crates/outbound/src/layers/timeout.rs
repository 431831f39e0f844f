//! Bounds a try in time, from connecting to the last byte of the answer.
//!
//! Invariant: nothing inside runs on after the timeout, so a claim's deadline, which lies past it, is past all sending.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use super::{Layer, Outgoing};

#[derive(Clone)]
pub(crate) struct Timeout<N> {
    limit: Duration,
    next: N,
}

/// No answer in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimedOut(pub(crate) Duration);

pub(crate) fn timeout<N>(limit: Duration, next: N) -> Timeout<N> {
    Timeout { limit, next }
}

impl<A, E, N> Layer<Outgoing> for Timeout<N>
where
    A: Send,
    E: From<TimedOut> + Send,
    N: Layer<Outgoing, Out = Result<A, E>>,
{
    type Out = Result<A, E>;

    async fn pass(&self, outgoing: Outgoing) -> Result<A, E> {
        let end = Instant::now() + self.limit;
        let mut inner = pin!(self.next.pass(outgoing));
        // A process that was frozen past the limit must not go on: the claim's deadline may have passed as well, and
        // what is still to be sent would be sent without one. So the inner future is never polled past the limit.
        let within = poll_fn(|cx| {
            if Instant::now() >= end {
                return Poll::Ready(Err(TimedOut(self.limit).into()));
            }
            inner.as_mut().poll(cx)
        });
        let answer = tokio::time::timeout_at(end, within).await;
        answer.unwrap_or_else(|_| Err(TimedOut(self.limit).into()))
    }
}
