//! Writes what came of a call into the journal, before anybody else learns of it.
//!
//! Invariant: a success is returned only once it is recorded; "it did not happen" is recorded only if no earlier try
//! may have been received; what may have happened is not recorded at all.

use std::{sync::Arc, time::Duration};

use argosy_kernel::Death;

use super::{Answer, Layer, Sending};
use crate::{Class, Decision, Failure, Journal, Outcome, Recorded};

/// An outcome may have this many bytes as JSON.
pub const OUTCOME_BYTES_MAX: usize = 64 * 1024;

/// A success is offered to a journal that is down so often, because it is known nowhere else.
const RECORD_TRIES_MAX: u32 = 5;

/// The wait between two of them.
const RECORD_WAIT: Duration = Duration::from_millis(500);

#[derive(Clone)]
pub(crate) struct Record<N> {
    journal: Arc<dyn Journal>,
    next: N,
}

pub(crate) fn record<N>(journal: &Arc<dyn Journal>, next: N) -> Record<N> {
    Record {
        journal: Arc::clone(journal),
        next,
    }
}

impl<T: Recorded, N: Layer<Sending, Out = Answer<T>>> Layer<Sending> for Record<N> {
    type Out = Answer<T>;

    async fn pass(&self, sending: Sending) -> Answer<T> {
        let uncertain = sending.uncertain;
        let mut answer = self.next.pass(sending).await;
        match std::mem::replace(&mut answer.result, Err(Failure::retry(""))) {
            Ok(value) => {
                let recorded = record_success(&*self.journal, as_json(&value)).await;
                answer.with(recorded.map(|()| value))
            }
            Err(failure) => {
                if !uncertain && !answer.stale && known_not_happened(&failure) {
                    // If this cannot be written, the claim stays and expires: slower, and as right.
                    drop(self.journal.record(Outcome::NotHappened).await);
                }
                answer.with(Err(failure))
            }
        }
    }
}

/// Records a success, patiently.
pub(crate) async fn record_success(
    journal: &dyn Journal,
    outcome: Result<Outcome, Failure>,
) -> Result<(), Failure> {
    let outcome = outcome?;
    let mut tries = 1;
    loop {
        match journal.record(outcome.clone()).await {
            Err(failure)
                if matches!(failure.decision, Decision::Wait(..)) && tries < RECORD_TRIES_MAX =>
            {
                tries += 1;
                tokio::time::sleep(RECORD_WAIT).await;
            }
            recorded => return recorded,
        }
    }
}

/// The success as the journal keeps it.
pub(crate) fn as_json<T: Recorded>(value: &T) -> Result<Outcome, Failure> {
    let json = serde_json::to_vec(value).map_err(|error| {
        Failure::dead(
            Death::Ambiguous,
            "the answer has no JSON form and cannot be recorded",
        )
        .because(error)
    })?;
    if json.len() > OUTCOME_BYTES_MAX {
        return Err(Failure::dead(
            Death::Ambiguous,
            format!(
                "it happened, but its answer has {} bytes and {OUTCOME_BYTES_MAX} can be recorded",
                json.len()
            ),
        ));
    }
    Ok(Outcome::Succeeded(json.into()))
}

fn known_not_happened(failure: &Failure) -> bool {
    match &failure.class {
        None | Some(Class::Ambiguous) => false,
        Some(
            Class::Throttled(_)
            | Class::NotExecuted(_)
            | Class::Conflict
            | Class::Quota
            | Class::Unauthorized
            | Class::Permanent,
        ) => true,
    }
}
