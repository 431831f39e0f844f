//! A record as its own dead letter: byte-identical key and value, the original's headers, KIP-1191's and ours.
//!
//! Invariant: a letter fits into its topic, so that its record is never stuck behind it.

use std::sync::Arc;

use argosy_broker::{Header, Message};
use argosy_events::catalogue::{self, DEAD_LETTERS};
use argosy_kernel::{Death, Epoch};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::delivered::{Delivered, Fault};

/// What a record batch of one adds to its key, value and headers: its own header, the lengths in them, and room for
/// both to grow.
const BATCH_BYTES: usize = 4_096;

/// Names that only we may give; the original's own, of an earlier death, get [`EARLIER`] before them.
const RESERVED: [&str; 2] = ["__dlq.", "argosy.dlq."];

/// Not reserved, so that a letter that dies again and again keeps names of a bounded length.
const EARLIER: &str = "argosy.earlier.";

/// What is said of a death beside the record.
#[derive(Debug)]
pub(crate) struct Obituary<'a> {
    pub(crate) worker: &'a str,
    pub(crate) cause: Death,
    pub(crate) attempts: u32,
    pub(crate) fault: Option<&'a Fault>,
    pub(crate) first_failure_ms: i64,
    pub(crate) last_failure_ms: i64,
    pub(crate) epoch: Epoch,
}

/// The dead letter. The partition is left to the partitioner: a key's letters stay together.
pub(crate) fn message(record: &Delivered, obituary: &Obituary<'_>) -> Message {
    let delivery = &record.delivery;
    let mut said = kip_1191(record, obituary);
    said.extend(ours(obituary));
    let timestamp = delivery.timestamp_ms;
    said.extend(timestamp.map(|ms| header("argosy.dlq.timestamp-ms", &ms.to_string())));
    let mut letter = Message {
        topic: Arc::from(DEAD_LETTERS),
        partition: None,
        key: delivery.key.clone(),
        value: delivery.value.clone(),
        headers: delivery
            .headers
            .iter()
            .map(original)
            .chain(said.iter().cloned())
            .collect(),
    };
    let room = catalogue::topic(DEAD_LETTERS)
        .map_or(0, |topic| topic.message_bytes_max)
        .saturating_sub(BATCH_BYTES);
    // Only a record of a topic that takes more than ours: it stays where it is until that topic's retention.
    if bytes(&letter) > room {
        said.push(header("argosy.dlq.value", "reference"));
        letter.headers.push(header("argosy.dlq.value", "reference"));
        letter.value = Some(reference(
            record,
            delivery.value.as_deref().unwrap_or_default(),
        ));
    }
    if bytes(&letter) > room {
        said.push(header("argosy.dlq.headers", "left out"));
        letter.headers = said;
    }
    letter
}

/// Whether the record is a dead letter itself: it has none of its own.
pub(crate) fn is_letter(record: &Delivered) -> bool {
    &*record.delivery.from.topic == DEAD_LETTERS
}

/// A header of the original, under a name that cannot be taken for ours.
fn original((name, value): &Header) -> Header {
    let is_reserved = RESERVED.iter().any(|reserved| name.starts_with(reserved));
    let name = if is_reserved {
        format!("{EARLIER}{name}")
    } else {
        name.clone()
    };
    (name, value.clone())
}

/// As the broker counts: each header adds two lengths of at most five bytes.
fn bytes(letter: &Message) -> usize {
    let headers = letter
        .headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 10);
    let parts = [&letter.key, &letter.value]
        .into_iter()
        .flatten()
        .map(Bytes::len);
    headers.sum::<usize>() + parts.sum::<usize>()
}

/// KIP-1191, "Dead-letter queues for share groups".
fn kip_1191(record: &Delivered, obituary: &Obituary<'_>) -> Vec<Header> {
    let from = &record.delivery.from;
    let message = obituary
        .fault
        .map_or(condemned(obituary.cause), |fault| fault.message.as_str());
    vec![
        header("__dlq.errors.topic", &from.topic),
        header("__dlq.errors.partition", &from.partition.to_string()),
        header("__dlq.errors.offset", &record.delivery.offset.to_string()),
        header("__dlq.errors.group", obituary.worker),
        header(
            "__dlq.errors.delivery.count",
            &obituary.attempts.to_string(),
        ),
        header("__dlq.errors.message", message),
    ]
}

fn ours(obituary: &Obituary<'_>) -> Vec<Header> {
    let mut headers = vec![
        header("argosy.dlq.worker", obituary.worker),
        header("argosy.dlq.cause", obituary.cause.name()),
        header("argosy.dlq.fingerprint", &fingerprint(obituary)),
        header("argosy.dlq.attempts", &obituary.attempts.to_string()),
        header(
            "argosy.dlq.first-failure-ms",
            &obituary.first_failure_ms.to_string(),
        ),
        header(
            "argosy.dlq.last-failure-ms",
            &obituary.last_failure_ms.to_string(),
        ),
        header("argosy.dlq.build", env!("CARGO_PKG_VERSION")),
        header("argosy.dlq.epoch", &obituary.epoch.0.to_string()),
    ];
    if let Some(dependency) = obituary.fault.and_then(|fault| fault.dependency.as_deref()) {
        headers.push(header("argosy.dlq.dependency", dependency));
    }
    if let Some(status) = obituary.fault.and_then(|fault| fault.status) {
        headers.push(header("argosy.dlq.status", &status.to_string()));
    }
    headers
}

/// Groups letters by cause: worker, cause, dependency, status, and the message with its digits and quoted parts
/// taken out. The leading `1` is the version of this rule.
pub(crate) fn fingerprint(obituary: &Obituary<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(obituary.worker);
    hash.update([0]);
    hash.update(obituary.cause.name());
    if let Some(fault) = obituary.fault {
        hash.update([0]);
        hash.update(fault.dependency.as_deref().unwrap_or_default());
        hash.update([0]);
        hash.update(fault.status.unwrap_or_default().to_be_bytes());
        hash.update(template(&fault.message));
    }
    let digest = hash.finalize();
    let hex: String = digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("1-{hex}")
}

/// The message without what differs between records of one cause.
fn template(message: &str) -> String {
    let mut template = String::with_capacity(message.len());
    let mut quoted = false;
    for character in message.chars() {
        match character {
            '`' | '"' | '\'' => {
                quoted = !quoted;
                template.push(character);
            }
            _ if quoted => {}
            digit if digit.is_ascii_digit() => {
                if !template.ends_with('#') {
                    template.push('#');
                }
            }
            other => template.push(other),
        }
    }
    template
}

fn reference(record: &Delivered, value: &[u8]) -> Bytes {
    let digest = Sha256::digest(value);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let from = &record.delivery.from;
    let reference = serde_json::json!({
        "topic": &*from.topic,
        "partition": from.partition,
        "offset": record.delivery.offset,
        "bytes": value.len(),
        "sha256": hex,
    });
    Bytes::from(reference.to_string())
}

fn header(name: &str, value: &str) -> Header {
    (name.to_string(), Bytes::copy_from_slice(value.as_bytes()))
}

/// What is said of a record that the pump itself condemned.
fn condemned(cause: Death) -> &'static str {
    match cause {
        Death::Crashed => "the process died each time that it ran alone",
        _ => "condemned",
    }
}

#[cfg(test)]
mod tests {
    use argosy_broker::{Delivery, TopicPartition};

    use super::*;
    use crate::worker::Handlers;

    fn delivered(topic: &str, value: usize, headers: Vec<Header>) -> Delivered {
        let delivery = Delivery {
            from: TopicPartition {
                topic: Arc::from(topic),
                partition: 3,
            },
            offset: 7,
            timestamp_ms: Some(1_700_000_000_000),
            key: Some(Bytes::from_static(b"k")),
            value: Some(Bytes::from(vec![b'x'; value])),
            headers,
            bytes: value,
        };
        Delivered::read(delivery, 0, &Handlers::default())
    }

    fn letter(value: usize, headers: Vec<Header>) -> Message {
        let obituary = Obituary {
            worker: "orders",
            cause: Death::Undecodable,
            attempts: 1,
            fault: None,
            first_failure_ms: 1,
            last_failure_ms: 1,
            epoch: Epoch(1),
        };
        message(&delivered("orders", value, headers), &obituary)
    }

    fn values<'a>(letter: &'a Message, name: &str) -> Vec<&'a [u8]> {
        let named = letter.headers.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| &value[..]).collect()
    }

    fn limit() -> usize {
        catalogue::topic(DEAD_LETTERS).unwrap().message_bytes_max
    }

    #[test]
    fn the_largest_record_of_our_topics_is_kept_byte_by_byte() {
        let largest = catalogue::topic(catalogue::ORDER_EVENTS)
            .unwrap()
            .message_bytes_max;
        let letter = letter(largest, Vec::new());
        assert_eq!(letter.value.as_ref().map(Bytes::len), Some(largest));
        assert!(values(&letter, "argosy.dlq.value").is_empty());
        assert!(bytes(&letter) < limit());
    }

    #[test]
    fn a_letter_has_no_letter_of_its_own() {
        assert!(is_letter(&delivered(DEAD_LETTERS, 1, Vec::new())));
        assert!(!is_letter(&delivered("orders", 1, Vec::new())));
    }

    #[test]
    fn a_letter_says_when_its_record_was_written() {
        let letter = letter(10, vec![header("argosy.dlq.timestamp-ms", "forged")]);
        let said = values(&letter, "argosy.dlq.timestamp-ms");
        assert_eq!(said, [b"1700000000000"]);
    }

    #[test]
    fn a_record_of_a_topic_that_takes_more_is_referred_to() {
        let letter = letter(3_000_000, vec![header("ce_id", "1")]);
        assert_eq!(values(&letter, "argosy.dlq.value"), [b"reference"]);
        assert_eq!(values(&letter, "ce_id"), [b"1"]);
        let value = String::from_utf8(letter.value.clone().unwrap().to_vec()).unwrap();
        assert!(
            value.contains(r#""topic":"orders""#) && value.contains(r#""offset":7"#),
            "{value}"
        );
        assert!(bytes(&letter) < limit());
    }

    #[test]
    fn headers_that_leave_no_room_are_left_out_and_said_to_be() {
        let letter = letter(10, vec![header("h", &"y".repeat(3_000_000))]);
        assert_eq!(values(&letter, "argosy.dlq.headers"), [b"left out"]);
        assert_eq!(values(&letter, "argosy.dlq.cause"), [b"undecodable"]);
        assert!(bytes(&letter) < limit());
    }

    #[test]
    fn a_cause_that_came_with_the_record_is_not_taken_for_ours() {
        let letter = letter(
            10,
            vec![
                header("argosy.dlq.cause", "forged"),
                header("__dlq.errors.topic", "forged"),
            ],
        );
        assert_eq!(values(&letter, "argosy.dlq.cause"), [b"undecodable"]);
        assert_eq!(values(&letter, "__dlq.errors.topic"), [b"orders"]);
        assert_eq!(
            values(&letter, "argosy.earlier.argosy.dlq.cause"),
            [b"forged"]
        );
    }
}
