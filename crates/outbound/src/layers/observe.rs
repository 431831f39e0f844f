//! The outermost layer: measures and tells every call once.
//!
//! Invariant: every call ends in exactly one report, also one that nothing was sent for.

use std::sync::Arc;

use tracing::Instrument;

use super::{Answer, Layer};
use crate::{CallReport, Failure, account::Account, clock, events, report};

pub(crate) struct Observe<N> {
    account: Arc<Account>,
    operation: &'static str,
    next: N,
}

pub(crate) fn observe<N>(account: &Arc<Account>, operation: &'static str, next: N) -> Observe<N> {
    Observe {
        account: Arc::clone(account),
        operation,
        next,
    }
}

impl<T: Send, N: Layer<(), Out = Answer<T>>> Layer<()> for Observe<N> {
    type Out = (Result<T, Failure>, CallReport);

    async fn pass(&self, (): ()) -> Self::Out {
        let started = clock::now();
        let span = tracing::info_span!("call", dependency = %self.account.dependency, operation = self.operation);
        let answer = self.next.pass(()).instrument(span).await;
        let report = CallReport {
            dependency: self.account.dependency.clone(),
            operation: self.operation,
            outcome: answer.how,
            class: report::class_name(&answer),
            tries: answer.tries,
            status: answer.status,
            repeat: answer.repeat,
            duration: clock::now() - started,
            detail: answer
                .result
                .as_ref()
                .err()
                .map(|failure| failure.message.clone()),
        };
        events::call_finished(&report);
        (answer.result, report)
    }
}
