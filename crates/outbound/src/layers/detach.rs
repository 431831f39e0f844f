//! From here on a try belongs to itself: it runs in a tracked task, and a dropped run does not end it.
//!
//! Invariant: a request that may have been sent has somebody waiting for its answer until the timeout, who records
//! what came of it.

use argosy_kernel::{Waiting, claims::CLAIMED_RECHECK};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{Answer, Layer, Sending, waits};

pub(crate) struct Detach<N> {
    tracker: TaskTracker,
    next: N,
}

pub(crate) fn detach<N>(tracker: &TaskTracker, next: N) -> Detach<N> {
    Detach {
        tracker: tracker.clone(),
        next,
    }
}

impl<T, N> Layer<Sending> for Detach<N>
where
    T: Send + 'static,
    N: Layer<Sending, Out = Answer<T>> + Clone + 'static,
{
    type Out = Answer<T>;

    async fn pass(&self, sending: Sending) -> Answer<T> {
        let next = self.next.clone();
        let task = async move { next.pass(sending).await }.in_current_span();
        match self.tracker.spawn(task).await {
            Ok(answer) => answer,
            Err(error) => match error.try_into_panic() {
                // A client's reader panicked: that is the run's panic.
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => {
                    let message = "the process is ending, and the call's outcome is not known here";
                    Answer::unsent(
                        waits(Waiting::Claimed, CLAIMED_RECHECK, message.to_owned()).because(error),
                    )
                }
            },
        }
    }
}
