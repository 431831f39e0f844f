//! A handler serves one event type. This file also erases its type, so that a worker can keep many.

use std::{future::Future, sync::Arc};

use argosy_events::{Payload, PayloadError};
use argosy_kernel::Death;
use argosy_outbound::{Decision, Dependency, Failure, Stack};
use futures_util::future::BoxFuture;

use crate::{Context, Event, delivered::Delivered};

/// What a successful run came to. A business refusal is `Done` with an event that says so, never a `Failure`.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Handled.
    Done,
    /// Deliberately not handled, and why (a short fixed text, for timelines and metrics).
    Skipped(&'static str),
}

/// The dependencies that must admit work before an event is dispatched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs(Vec<Dependency>);

impl FromIterator<Dependency> for Needs {
    fn from_iter<I: IntoIterator<Item = Dependency>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl Needs {
    /// The dependencies, as given.
    pub fn iter(&self) -> impl Iterator<Item = &Dependency> {
        self.0.iter()
    }
}

/// Handles one type of event. Runs may be repeated (after a crash, a retry, a rebalance): a handler decides only from
/// its event, `cx.now()` and what it got through `cx`, and changes the world only through `cx`.
pub trait Handler: Send + Sync + 'static {
    /// The type of event.
    type Body: Payload;

    /// Asked before each run. A dependency that does not admit work makes the lane wait, and no attempt is spent.
    fn needs(&self, event: &Event<Self::Body>) -> Needs {
        let _ = event;
        Needs::default()
    }

    /// Handles one event. May be dropped at any await: at its deadline, at a rebalance, at shutdown.
    ///
    /// # Errors
    ///
    /// The [`Failure`] says what follows: another attempt, a wait, or a dead letter.
    fn handle(
        &self,
        event: Event<Self::Body>,
        cx: &mut Context,
    ) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}

/// A handler without its type.
pub(crate) trait Erased: Send + Sync {
    fn run<'a>(
        &'a self,
        record: &'a Delivered,
        stack: &'a Stack,
        cx: &'a mut Context,
    ) -> BoxFuture<'a, Result<Outcome, Failure>>;
}

impl<H: Handler> Erased for H {
    fn run<'a>(
        &'a self,
        record: &'a Delivered,
        stack: &'a Stack,
        cx: &'a mut Context,
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            let event = decode::<H::Body>(record)?;
            for dependency in self.needs(&event).iter() {
                stack.admits(dependency).map_err(|(waiting, wait)| {
                    Failure::new(
                        Decision::Wait(waiting, wait),
                        format!("{dependency} does not admit work now"),
                    )
                })?;
            }
            cx.begin(event.body.body_hash());
            self.handle(event, cx).await
        })
    }
}

fn decode<T: Payload>(record: &Delivered) -> Result<Event<T>, Failure> {
    let envelope = record
        .envelope
        .as_ref()
        .map_err(|error| Failure::dead(Death::Undecodable, error.to_string()))?;
    let value = record.data.as_deref().unwrap_or_default();
    let body = T::decode(envelope.content_type.as_deref(), value).map_err(|error| {
        let cause = match &error {
            PayloadError::Undecodable { .. } | PayloadError::UnknownType { .. } => {
                Death::Undecodable
            }
            PayloadError::Invalid { .. } | PayloadError::TooLarge { .. } => Death::Invalid,
        };
        Failure::dead(cause, error.to_string())
    })?;
    Ok(Event {
        envelope: Arc::clone(envelope),
        body,
    })
}
