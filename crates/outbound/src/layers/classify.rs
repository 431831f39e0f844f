//! Gives every answer, and every absence of one, its class, and every class its decision.
//!
//! Invariant: it stands outside the timeout, so that a call which was cut off is ambiguous like any other whose answer
//! never came; whatever is not known not to have happened is ambiguous.

use std::{sync::Arc, time::Duration};

use argosy_kernel::{Death, Waiting, claims::CLAIMED_RECHECK};

use super::{Answer, Layer, Outgoing};
use crate::{
    CallOutcome, Class, Decision, Dependency, Failure, Read, Response, layers::http::Fault,
};

/// The least wait for a dependency.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// The wait before a bill or a daily quota is tried again.
const QUOTA_WAIT: Duration = Duration::from_secs(30);

pub(crate) struct Classify<T, N> {
    dependency: Dependency,
    in_doubt: InDoubt,
    read: Read<T>,
    next: N,
}

/// What a run waits for after an unknown outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InDoubt {
    /// The claim's deadline: the call may have changed something.
    Claim,
    /// The dependency: the call changes nothing.
    Dependency,
}

pub(crate) fn classify<T, N>(
    dependency: &Dependency,
    in_doubt: InDoubt,
    read: Read<T>,
    next: N,
) -> Classify<T, N> {
    Classify {
        dependency: dependency.clone(),
        in_doubt,
        read,
        next,
    }
}

impl<T, N: Clone> Clone for Classify<T, N> {
    fn clone(&self) -> Self {
        Self {
            dependency: self.dependency.clone(),
            in_doubt: self.in_doubt,
            read: self.read.clone(),
            next: self.next.clone(),
        }
    }
}

impl<T: Send, N: Layer<Outgoing, Out = Result<Response, Fault>>> Layer<Outgoing>
    for Classify<T, N>
{
    type Out = Answer<T>;

    async fn pass(&self, outgoing: Outgoing) -> Answer<T> {
        match self.next.pass(outgoing).await {
            Ok(response) => {
                let result = self
                    .read
                    .read(&response)
                    .map_err(|failure| self.decided(failure, response.status));
                let how = if result.is_ok() {
                    CallOutcome::Sent
                } else {
                    CallOutcome::Failed
                };
                let status = Some(response.status);
                Answer {
                    result,
                    how,
                    status,
                    tries: 1,
                    repeat: false,
                    stale: false,
                }
            }
            Err(fault) => self.unanswered(fault),
        }
    }
}

impl<T, N> Classify<T, N> {
    fn unanswered(&self, fault: Fault) -> Answer<T> {
        let message = format!("{}: {fault}", self.dependency);
        let class = match &fault {
            Fault::Stale => Class::NotExecuted(None),
            Fault::Unsendable(_) => {
                return Answer::unsent(Failure::dead(Death::Misconfigured, message));
            }
            Fault::Connect(_) => Class::NotExecuted(None),
            Fault::TimedOut(_) | Fault::Broken(_) | Fault::TooLarge(_) => Class::Ambiguous,
        };
        let stale = matches!(fault, Fault::Stale);
        let failure = Failure::retry(message)
            .with_class(class, fault.status())
            .because(fault);
        let status = failure.status;
        let failure = self.decision_of(failure);
        Answer {
            tries: u32::from(!stale),
            stale,
            status,
            ..Answer::unsent(failure)
        }
    }

    /// A reader's failure with what the stack knows and it does not.
    fn decided(&self, mut failure: Failure, status: u16) -> Failure {
        failure.status = Some(status);
        failure.message = format!("{}: {}", self.dependency, failure.message);
        self.decision_of(failure)
    }

    /// The decision is the class's; a failure without class keeps its own.
    fn decision_of(&self, mut failure: Failure) -> Failure {
        let name = || Arc::clone(&self.dependency.0);
        failure.decision = match (&failure.class, failure.decision) {
            (None, decision) | (Some(Class::Permanent), decision @ Decision::Dead(_)) => decision,
            (Some(Class::Permanent), _) => Decision::Dead(Death::Refused),
            (Some(Class::Throttled(asked)), _) => {
                Decision::Wait(Waiting::Quota(name()), wait(*asked))
            }
            (Some(Class::NotExecuted(asked)), _) => {
                Decision::Wait(Waiting::Dependency(name()), wait(*asked))
            }
            (Some(Class::Unauthorized), _) => Decision::Wait(Waiting::Dependency(name()), WAIT_MIN),
            (Some(Class::Quota), _) => Decision::Wait(Waiting::Quota(name()), QUOTA_WAIT),
            (Some(Class::Conflict), _) => Decision::Retry(None),
            (Some(Class::Ambiguous), _) => match self.in_doubt {
                InDoubt::Claim => Decision::Wait(Waiting::Claimed, CLAIMED_RECHECK),
                InDoubt::Dependency => Decision::Wait(Waiting::Dependency(name()), WAIT_MIN),
            },
        };
        failure.dependency = Some(self.dependency.clone());
        failure
    }
}

fn wait(asked: Option<Duration>) -> Duration {
    asked.unwrap_or(WAIT_MIN).max(WAIT_MIN)
}
