//! A failed run: its decision, made by the library that failed, so that `?` carries it upward.

use std::{error::Error, fmt, time::Duration};

use argosy_kernel::{Death, Waiting};

use crate::Dependency;

/// What a vendor's answer (or its absence) says about the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not executed, safe to repeat, after so long if the vendor says so.
    Throttled(Option<Duration>),
    /// Not executed: connect failed, or the vendor's front end said so.
    NotExecuted(Option<Duration>),
    /// It may have happened.
    Ambiguous,
    /// An optimistic check failed.
    Conflict,
    /// A quota or a bill that waiting does not mend.
    Quota,
    /// The credential is refused.
    Unauthorized,
    /// The record's own fault, for good.
    Permanent,
}

impl Class {
    /// The class's name, as it stands in metrics and timelines.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Throttled(_) => "throttled",
            Self::NotExecuted(_) => "not_executed",
            Self::Ambiguous => "ambiguous",
            Self::Conflict => "conflict",
            Self::Quota => "quota",
            Self::Unauthorized => "unauthorized",
            Self::Permanent => "permanent",
        }
    }
}

/// What follows from a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// An attempt is spent; run again after the wait, or by schedule.
    Retry(Option<Duration>),
    /// No attempt is spent; the lane waits for this cause, at most so long before another look.
    Wait(Waiting, Duration),
    /// The record is dead.
    Dead(Death),
    /// The store refused the claim: this instance no longer owns the partition.
    Fenced,
}

/// A failed run: decision, what failed, and why.
#[derive(Debug)]
pub struct Failure {
    /// What follows.
    pub decision: Decision,
    /// What the vendor's answer said, if it was a vendor's.
    pub class: Option<Class>,
    /// Who failed, if a dependency did.
    pub dependency: Option<Dependency>,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// A lowercase fragment that names the thing and the remedy; no payloads, no secrets.
    pub message: String,
    /// Boxed twice: one word instead of two keeps a failure small enough to be returned by value everywhere.
    source: Option<Box<Box<dyn Error + Send + Sync>>>,
}

impl Failure {
    /// A failure with this decision.
    pub fn new(decision: Decision, message: impl Into<String>) -> Self {
        Self {
            decision,
            class: None,
            dependency: None,
            status: None,
            message: message.into(),
            source: None,
        }
    }

    /// The record's own fault: an attempt is spent, and it runs again by schedule.
    pub fn retry(message: impl Into<String>) -> Self {
        Self::new(Decision::Retry(None), message)
    }

    /// The record's own fault: an attempt is spent, and it runs again after `wait`.
    pub fn retry_after(wait: Duration, message: impl Into<String>) -> Self {
        Self::new(Decision::Retry(Some(wait)), message)
    }

    /// A dependency's fault: no attempt is spent.
    pub fn dependency_down(
        dependency: &Dependency,
        wait: Duration,
        message: impl Into<String>,
    ) -> Self {
        let waiting = Waiting::Dependency(std::sync::Arc::clone(&dependency.0));
        Self {
            dependency: Some(dependency.clone()),
            ..Self::new(Decision::Wait(waiting, wait), message)
        }
    }

    /// Nothing will help: the record is dead.
    pub fn dead(cause: Death, message: impl Into<String>) -> Self {
        Self::new(Decision::Dead(cause), message)
    }

    /// The same failure with what the vendor's answer said.
    #[must_use]
    pub fn with_class(self, class: Class, status: Option<u16>) -> Self {
        Self {
            class: Some(class),
            status,
            ..self
        }
    }

    /// The same failure with another decision.
    #[must_use]
    pub fn with_decision(self, decision: Decision) -> Self {
        Self { decision, ..self }
    }

    /// The same failure with its source.
    #[must_use]
    pub fn because(self, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            source: Some(Box::new(Box::new(source))),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| &**source as &(dyn Error + 'static))
    }
}
