//! A handler of raw records serves a whole topic: its records reach it byte for byte, whatever their headers say.

use std::{future::Future, sync::Arc};

use argosy_broker::Header;
use argosy_outbound::{Failure, Stack};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{Context, Outcome, delivered::Delivered, handler::Erased};

/// A record as the broker holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct RawRecord {
    /// Where it lies.
    pub topic: Arc<str>,
    /// Where it lies.
    pub partition: i32,
    /// Where it lies.
    pub offset: i64,
    /// The broker's timestamp, milliseconds since 1970; `None` if unknown.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
    /// Its headers, in order; names may stand several times.
    pub headers: Vec<Header>,
}

impl std::fmt::Debug for RawRecord {
    /// Records hold personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// Handles all records of a topic, for topics whose records are not events of known types. It has no context: what it
/// changes, it changes in a way that may be repeated, such as a projection that knows what it has seen.
pub trait RawHandler: Send + Sync + 'static {
    /// Handles one record. May be dropped at any await, as [`crate::Handler::handle`] is.
    ///
    /// # Errors
    ///
    /// The [`Failure`] says what follows. A record of the topic of dead letters is never written there again, whatever
    /// it says: see the crate's page.
    fn handle(&self, record: RawRecord) -> impl Future<Output = Result<Outcome, Failure>> + Send;
}

/// A raw handler where handlers are kept.
pub(crate) struct Raw<H>(pub(crate) H);

impl<H: RawHandler> Erased for Raw<H> {
    fn run<'a>(
        &'a self,
        record: &'a Delivered,
        _stack: &'a Stack,
        _cx: &'a mut Context,
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        let delivery = &record.delivery;
        Box::pin(self.0.handle(RawRecord {
            topic: Arc::clone(&delivery.from.topic),
            partition: delivery.from.partition,
            offset: delivery.offset,
            timestamp_ms: delivery.timestamp_ms,
            key: delivery.key.clone(),
            value: delivery.value.clone(),
            headers: delivery.headers.clone(),
        }))
    }
}
