//! A record on its way through the runtime: the delivery and what was read from its headers once.

use std::sync::Arc;

use argosy_broker::Delivery;
use argosy_events::{Envelope, EnvelopeError, event_type_of, structured};

use crate::{handler::Erased, timeline::Telling, worker::Handlers};

/// A record, shared by lane, run, timeline and dead letter.
pub(crate) type Body = Arc<Delivered>;

/// See the module page.
pub(crate) struct Delivered {
    pub(crate) delivery: Delivery,
    /// What the headers say; a record whose envelope cannot be read is dead, `undecodable`.
    pub(crate) envelope: Result<Arc<Envelope>, EnvelopeError>,
    /// The event's data: the record's value, or what a structured document holds.
    pub(crate) data: Option<bytes::Bytes>,
    /// Who handles its type; `None` if nobody does, or the type is unknown.
    pub(crate) handler: Option<Arc<dyn Erased>>,
    pub(crate) received_ms: i64,
    /// What its timeline was told.
    pub(crate) telling: Telling,
}

impl std::fmt::Debug for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.delivery.fmt(f)
    }
}

impl Delivered {
    /// Reads the headers once; a structured document is opened, and stays as it is in the delivery.
    pub(crate) fn read(delivery: Delivery, received_ms: i64, handlers: &Handlers) -> Self {
        if let Some(handler) = handlers.of_topic(&delivery.from.topic) {
            return Self::raw(delivery, received_ms, handler);
        }
        let opened = structured::is_structured_record(&delivery.headers)
            .then(|| structured::open(delivery.value.as_deref().unwrap_or_default()));
        let (headers, data) = match opened {
            None => (None, delivery.value.clone()),
            Some(Ok((headers, data))) => (Some(headers), Some(data)),
            Some(Err(error)) => {
                return Self {
                    envelope: Err(error),
                    data: None,
                    handler: None,
                    received_ms,
                    telling: Telling::default(),
                    delivery,
                };
            }
        };
        let headers = headers.as_ref().unwrap_or(&delivery.headers);
        let from = &delivery.from;
        let envelope =
            Envelope::read(headers, &from.topic, from.partition, delivery.offset).map(Arc::new);
        let handler = event_type_of(headers).and_then(|name| handlers.of_type(name));
        Self {
            envelope,
            data,
            handler,
            received_ms,
            telling: Telling::default(),
            delivery,
        }
    }

    /// A record that waited in the store.
    pub(crate) fn out_of_store(
        delivery: Delivery,
        is_replayed: bool,
        received_ms: i64,
        handlers: &Handlers,
    ) -> Self {
        Self {
            telling: Telling::out_of_store(is_replayed),
            ..Self::read(delivery, received_ms, handlers)
        }
    }

    /// A record whose headers say nothing to its handler: its identity is its place.
    fn raw(delivery: Delivery, received_ms: i64, handler: Arc<dyn Erased>) -> Self {
        let from = &delivery.from;
        let id: Arc<str> = format!("{}-{}", from.partition, delivery.offset).into();
        let envelope = Envelope {
            source: format!("kafka://{}", from.topic).into(),
            id: Arc::clone(&id),
            event_type: Arc::clone(&from.topic),
            time_ms: None,
            subject: None,
            correlation_id: id,
            causation_id: None,
            traceparent: None,
            tracestate: None,
            content_type: None,
        };
        Self {
            envelope: Ok(Arc::new(envelope)),
            data: None,
            handler: Some(handler),
            received_ms,
            telling: Telling::default(),
            delivery,
        }
    }

    pub(crate) fn correlation(&self) -> Arc<str> {
        match &self.envelope {
            Ok(envelope) => Arc::clone(&envelope.correlation_id),
            Err(_) => self.fallback_id(),
        }
    }

    /// The identity of a record whose envelope cannot be read.
    pub(crate) fn fallback_id(&self) -> Arc<str> {
        format!("{}-{}", self.delivery.from.partition, self.delivery.offset).into()
    }

    pub(crate) fn fallback_source(&self) -> Arc<str> {
        format!("kafka://{}", self.delivery.from.topic).into()
    }
}

/// What a run leaves for later.
#[derive(Clone, Debug)]
pub(crate) enum Residue {
    /// Events to publish.
    Emits(Arc<Vec<crate::emit::Emitted>>),
    /// Details of a fault, for the dead letter.
    Fault(Arc<Fault>),
}

/// Details of a fault: no payloads, no secrets.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) dependency: Option<Arc<str>>,
    pub(crate) status: Option<u16>,
    pub(crate) at_ms: i64,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            dependency: None,
            status: None,
            at_ms: crate::clock::wall_ms(),
        }
    }
}

impl From<Fault> for Residue {
    fn from(fault: Fault) -> Self {
        Self::Fault(Arc::new(fault))
    }
}
