//! Bounds a try in time, from connecting to the last byte of the answer.
//!
//! Invariant: nothing inside runs on after the timeout, so a claim's deadline, which lies past it, is past all sending.

use std::time::Duration;

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
        let answer = tokio::time::timeout(self.limit, self.next.pass(outgoing)).await;
        answer.unwrap_or_else(|_| Err(TimedOut(self.limit).into()))
    }
}
