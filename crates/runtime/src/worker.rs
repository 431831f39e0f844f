//! A worker as a value: its name, its handlers, its policies. Subscriptions are derived from the handlers.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use argosy_events::Payload;
use argosy_kernel::Order;

use crate::{Handler, handler::Erased};

/// Handlers by event type.
pub(crate) type Handlers = HashMap<&'static str, Arc<dyn Erased>>;

/// A named consumer group with its handlers.
#[derive(Clone)]
pub struct Worker {
    pub(crate) name: &'static str,
    pub(crate) topics: BTreeSet<&'static str>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) order: Order,
    pub(crate) timelines: bool,
}

impl Worker {
    /// A worker without handlers. `name` is also its consumer group.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            topics: BTreeSet::new(),
            handlers: Arc::default(),
            order: Order::Key,
            timelines: true,
        }
    }

    /// Adds the handler of one event type; the last one given for a type counts.
    #[must_use]
    pub fn on<H: Handler>(mut self, handler: H) -> Self {
        self.topics.insert(H::Body::TOPIC);
        Arc::make_mut(&mut self.handlers).insert(H::Body::TYPE, Arc::new(handler));
        self
    }

    /// What keeps records apart; by key unless said otherwise.
    #[must_use]
    pub fn order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Writes no timelines: for workers that consume the fleet's own topics.
    #[must_use]
    pub fn without_timelines(mut self) -> Self {
        self.timelines = false;
        self
    }

    /// The worker's name.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name)
            .field("topics", &self.topics)
            .field("events", &self.handlers.keys().collect::<BTreeSet<_>>())
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}
