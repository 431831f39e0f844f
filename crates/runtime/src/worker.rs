//! A worker as a value: its name, its handlers, its policies. Subscriptions are derived from the handlers.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
};

use argosy_events::Payload;
use argosy_kernel::Order;

use crate::{Handler, RawHandler, handler::Erased, raw::Raw};

/// Who handles what.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    by_type: HashMap<&'static str, Arc<dyn Erased>>,
    /// Of raw records; their types do not matter.
    by_topic: HashMap<&'static str, Arc<dyn Erased>>,
}

impl Handlers {
    pub(crate) fn of_type(&self, name: &str) -> Option<Arc<dyn Erased>> {
        self.by_type.get(name).map(Arc::clone)
    }

    /// Of a topic whose records are handled raw.
    pub(crate) fn of_topic(&self, topic: &str) -> Option<Arc<dyn Erased>> {
        self.by_topic.get(topic).map(Arc::clone)
    }

    pub(crate) fn types(&self) -> impl Iterator<Item = &'static str> {
        self.by_type.keys().copied()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_type.is_empty() && self.by_topic.is_empty()
    }
}

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
        let handlers = Arc::make_mut(&mut self.handlers);
        handlers.by_type.insert(H::Body::TYPE, Arc::new(handler));
        self
    }

    /// Adds the handler of all records of a topic, whatever their types; the last one given for a topic counts.
    #[must_use]
    pub fn on_raw(mut self, topic: &'static str, handler: impl RawHandler) -> Self {
        self.topics.insert(topic);
        let handlers = Arc::make_mut(&mut self.handlers);
        handlers.by_topic.insert(topic, Arc::new(Raw(handler)));
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
            .field("events", &self.handlers.types().collect::<BTreeSet<_>>())
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}
