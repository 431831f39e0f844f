//! A decoded event with its envelope.

use std::{ops::Deref, sync::Arc};

use argosy_events::Envelope;

/// A decoded event: its envelope (source, id, correlation id, time) and its body.
#[derive(Clone, Debug)]
pub struct Event<T> {
    /// Who, what, when, and which business flow.
    pub envelope: Arc<Envelope>,
    /// The body, decoded and checked.
    pub body: T,
}

impl<T> Deref for Event<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.body
    }
}
