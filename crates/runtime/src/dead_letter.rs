//! A record as its own dead letter: byte-identical key and value, the original's headers, KIP-1191's and ours.

use std::sync::Arc;

use argosy_broker::{Header, Message};
use argosy_kernel::{Death, Epoch};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::delivered::{Delivered, Fault};

/// Where dead letters go.
pub(crate) const DEAD_LETTERS_TOPIC: &str = "argosy.dead-letters.v1";

/// A value larger than this is replaced by a reference to where it lies.
pub(crate) const VALUE_BYTES_MAX: usize = 900_000;

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
    let mut headers = delivery.headers.clone();
    headers.extend(kip_1191(record, obituary));
    headers.extend(ours(obituary));
    let mut value = delivery.value.clone();
    if let Some(large) = value.as_ref().filter(|value| value.len() > VALUE_BYTES_MAX) {
        headers.push(header("argosy.dlq.value", "reference"));
        value = Some(reference(record, large));
    }
    Message {
        topic: Arc::from(DEAD_LETTERS_TOPIC),
        partition: None,
        key: delivery.key.clone(),
        value,
        headers,
    }
}

/// KIP-1191, "Dead-letter queues for share groups".
fn kip_1191(record: &Delivered, obituary: &Obituary<'_>) -> Vec<Header> {
    let from = &record.delivery.from;
    let message = obituary
        .fault
        .map_or("condemned", |fault| fault.message.as_str());
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

fn reference(record: &Delivered, value: &Bytes) -> Bytes {
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
