//! The envelope: who says what about which thing, when, and in which business flow. CloudEvents 1.0 in Kafka's binary
//! mode: attributes are headers `ce_*`, beside `content-type`, `traceparent` and `tracestate`.
//!
//! Invariant: an envelope has an identity (source, id) and a correlation id; every text in it is bounded, not empty
//! and free of control characters.

mod attribute;
mod read;

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::{NoContext, Uuid};

use crate::{
    Payload,
    identity::{self, Emission},
};

pub use attribute::attribute_header;
pub(crate) use read::CONTENT_TYPE as CONTENT_TYPE_HEADER;
pub use read::event_type_of;

/// A header; brokers allow any bytes as value, and repeated names.
pub type Header = (String, Bytes);

/// The content type of our own encoding.
const PROTOBUF: &str = "application/protobuf";

/// An envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who says it; with `id`, the event's identity.
    pub source: Arc<str>,
    /// Unique within the source.
    pub id: Arc<str>,
    /// The full protobuf name of the body.
    pub event_type: Arc<str>,
    /// When it happened: milliseconds since 1970.
    pub time_ms: Option<i64>,
    /// The thing it is about.
    pub subject: Option<Arc<str>>,
    /// The business flow; the event's own id if it began one.
    pub correlation_id: Arc<str>,
    /// The event that caused it.
    pub causation_id: Option<Arc<str>>,
    /// W3C trace context.
    pub traceparent: Option<Arc<str>>,
    /// W3C trace context, the vendors' part.
    pub tracestate: Option<Arc<str>>,
    /// How the body is written; protobuf if absent.
    pub content_type: Option<Arc<str>>,
}

/// Where a record lies: the identity of an event that has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
}

impl Place<'_> {
    fn source(self) -> Arc<str> {
        format!("kafka://{}", self.topic).into()
    }

    fn id(self) -> Arc<str> {
        format!("{}-{}", self.partition, self.offset).into()
    }
}

/// Why headers are no envelope. Names the attribute, never shows its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// An attribute that must be there is not.
    #[error("attribute {0} is missing")]
    Missing(&'static str),
    /// An attribute is there, but empty.
    #[error("attribute {0} is empty")]
    Empty(&'static str),
    /// An attribute is no UTF-8 text.
    #[error("attribute {0} is not UTF-8 text")]
    NotText(&'static str),
    /// An attribute has NUL or other control characters.
    #[error("attribute {0} has control characters")]
    ControlCharacters(&'static str),
    /// An attribute of a structured document stands twice.
    #[error("attribute {0} stands twice")]
    Repeated(&'static str),
    /// An attribute is too long.
    #[error("attribute {name} is longer than {chars_max} characters")]
    TooLong {
        /// Which.
        name: &'static str,
        /// The limit.
        chars_max: usize,
    },
    /// An attribute is not of its form.
    #[error("attribute {name} is not {wanted}")]
    Malformed {
        /// Which.
        name: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// A structured document cannot be read.
    #[error("the CloudEvents document {0}")]
    Document(String),
}

impl EnvelopeError {
    /// The attribute at fault; `data` for a document that is none.
    pub fn attribute(&self) -> &'static str {
        match self {
            Self::Missing(name)
            | Self::Empty(name)
            | Self::NotText(name)
            | Self::ControlCharacters(name)
            | Self::Repeated(name) => name,
            Self::TooLong { name, .. } | Self::Malformed { name, .. } => name,
            Self::Document(_) => "data",
        }
    }

    /// What is wrong, without the attribute's name: for whoever tells that beside it.
    pub fn message(&self) -> String {
        let text = self.to_string();
        let named = format!("attribute {} ", self.attribute());
        text.strip_prefix(&named).unwrap_or(&text).to_owned()
    }
}

impl Envelope {
    /// Reads the headers of a record in binary mode.
    ///
    /// Without `ce_id` the identity is the record's place; without `ce_source` the source is its topic; without
    /// correlation id the event's own id is taken. A name that stands twice counts as it stands first. A trace context
    /// that is not well-formed is dropped, as its specification asks.
    ///
    /// # Errors
    ///
    /// The first attribute that is missing (`ce_type`) or not as it should be.
    pub fn read(
        headers: &[Header],
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Self, EnvelopeError> {
        read::read(
            headers,
            Place {
                topic,
                partition,
                offset,
            },
        )
    }

    /// The envelope of an event that begins a business flow.
    pub fn new_flow(source: &str, event_type: &str, subject: &str, now_ms: i64) -> Self {
        let id: Arc<str> = flow_id(now_ms).to_string().into();
        Self {
            source: source.into(),
            correlation_id: Arc::clone(&id),
            id,
            event_type: event_type.into(),
            time_ms: Some(now_ms),
            subject: (!subject.is_empty()).then(|| subject.into()),
            causation_id: None,
            traceparent: None,
            tracestate: None,
            content_type: Some(PROTOBUF.into()),
        }
    }

    /// The envelope of an event that `worker` emits while handling `cause`; `n` counts earlier events of the same
    /// content in the run. All but the time is the same for a second run.
    pub fn emitted<P: Payload>(cause: &Self, worker: &str, body: &P, n: u32, now_ms: i64) -> Self {
        let key = body.key();
        let value = body.encode();
        let id = identity::emitted(&Emission {
            worker,
            source: &cause.source,
            id: &cause.id,
            event_type: P::TYPE,
            key: &key,
            value: &value,
            n,
        });
        Self {
            source: format!("argosy://{worker}").into(),
            id: id.to_string().into(),
            event_type: P::TYPE.into(),
            time_ms: Some(now_ms),
            subject: (!key.is_empty()).then(|| key.into()),
            correlation_id: Arc::clone(&cause.correlation_id),
            causation_id: Some(Arc::clone(&cause.id)),
            traceparent: cause.traceparent.clone(),
            tracestate: cause.tracestate.clone(),
            content_type: Some(PROTOBUF.into()),
        }
    }

    /// The headers of a record in binary mode.
    pub fn headers(&self) -> Vec<Header> {
        let time = self
            .time_ms
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .map(|time| time.to_string());
        let attributes = [
            (read::SPEC_VERSION, Some("1.0")),
            (read::ID, Some(&*self.id)),
            (read::SOURCE, Some(&*self.source)),
            (read::TYPE, Some(&*self.event_type)),
            (read::TIME, time.as_deref()),
            (read::SUBJECT, self.subject.as_deref()),
            (read::CORRELATION, Some(&*self.correlation_id)),
            (read::CAUSATION, self.causation_id.as_deref()),
            (read::TRACE_PARENT, self.traceparent.as_deref()),
            (read::TRACE_STATE, self.tracestate.as_deref()),
            (read::CONTENT_TYPE, self.content_type.as_deref()),
        ];
        attributes
            .into_iter()
            .filter_map(|(name, value)| {
                Some((name.to_owned(), Bytes::copy_from_slice(value?.as_bytes())))
            })
            .collect()
    }
}

/// A new name, ordered by time.
fn flow_id(now_ms: i64) -> Uuid {
    let ms = u64::try_from(now_ms).unwrap_or(0);
    let nanos = u32::try_from(ms % 1_000).unwrap_or(0) * 1_000_000;
    Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, ms / 1_000, nanos))
}
