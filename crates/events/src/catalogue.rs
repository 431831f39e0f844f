//! The one list of topics: what lives on each, by which key, how long, how large, and who is expected to handle it.

use std::time::Duration;

use crate::{
    Payload,
    fleet::v1::TimelineBatch,
    orders::v1::{OrderApproved, OrderPlaced, OrderRefused, OrderRouted},
};

/// Orders and what became of them.
pub const ORDER_EVENTS: &str = "argosy.order-events.v1";

/// Records that settled as dead, with their causes.
pub const DEAD_LETTERS: &str = "argosy.dead-letters.v1";

/// Timeline batches.
pub const TIMELINES: &str = "argosy.timelines.v1";

const DAY: Duration = Duration::from_hours(24);

/// Kafka's own default for one batch of records.
const MESSAGE_BYTES_MAX: usize = 1_048_588;

/// A topic as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: &'static str,
    /// Its partition count; growing a keyed topic breaks the order of its keys.
    pub partitions: i32,
    /// How long records are kept.
    pub retention: Duration,
    /// What happens to old records.
    pub cleanup: Cleanup,
    /// Largest record, with key and headers.
    pub message_bytes_max: usize,
    /// What the key is; `None` for a keyless topic.
    pub key: Option<&'static str>,
    /// What lives on it.
    pub events: &'static [EventSpec],
}

/// What happens to old records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// They are deleted after the retention.
    Delete,
    /// The newest of each key stays.
    Compact,
}

/// A type of event on a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSpec {
    /// The full protobuf name.
    pub event_type: &'static str,
    /// The workers that are expected to settle it.
    pub workers: &'static [&'static str],
}

/// All topics.
pub const TOPICS: &[Topic] = &[
    Topic {
        name: ORDER_EVENTS,
        partitions: 12,
        retention: DAY.saturating_mul(14),
        cleanup: Cleanup::Delete,
        message_bytes_max: MESSAGE_BYTES_MAX,
        key: Some("order_id"),
        events: &[
            EventSpec {
                event_type: OrderPlaced::TYPE,
                workers: &[],
            },
            EventSpec {
                event_type: OrderApproved::TYPE,
                workers: &["orders"],
            },
            EventSpec {
                event_type: OrderRouted::TYPE,
                workers: &[],
            },
            EventSpec {
                event_type: OrderRefused::TYPE,
                workers: &[],
            },
        ],
    },
    Topic {
        name: DEAD_LETTERS,
        partitions: 12,
        retention: DAY.saturating_mul(90),
        cleanup: Cleanup::Delete,
        // A dead letter is the record and what is said about it.
        message_bytes_max: 2 * MESSAGE_BYTES_MAX,
        key: Some("the dead record's key"),
        events: &[],
    },
    Topic {
        name: TIMELINES,
        partitions: 12,
        retention: DAY.saturating_mul(7),
        cleanup: Cleanup::Delete,
        message_bytes_max: MESSAGE_BYTES_MAX,
        key: None,
        events: &[EventSpec {
            event_type: TimelineBatch::TYPE,
            workers: &["chronicle"],
        }],
    },
];

impl Topic {
    /// The broker's configuration values for it.
    pub fn values(&self) -> Vec<(String, String)> {
        let cleanup = match self.cleanup {
            Cleanup::Delete => "delete",
            Cleanup::Compact => "compact",
        };
        vec![
            (
                "retention.ms".to_owned(),
                self.retention.as_millis().to_string(),
            ),
            ("cleanup.policy".to_owned(), cleanup.to_owned()),
            (
                "max.message.bytes".to_owned(),
                self.message_bytes_max.to_string(),
            ),
        ]
    }
}

/// The topic of this name.
pub fn topic(name: &str) -> Option<&'static Topic> {
    TOPICS.iter().find(|topic| topic.name == name)
}

/// The topic and the entry of this type of event.
pub fn event(event_type: &str) -> Option<(&'static Topic, &'static EventSpec)> {
    TOPICS
        .iter()
        .flat_map(|topic| topic.events.iter().map(move |event| (topic, event)))
        .find(|(_, event)| event.event_type == event_type)
}
