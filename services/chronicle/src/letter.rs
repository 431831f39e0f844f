//! Reads a dead letter back: the record that died, byte for byte, and what its letter says of the death.
//!
//! Invariant: a letter that names its worker and its record's place is read, whatever else it lacks; one that does not is
//! none. What is ours stands last, so of a name that stands several times the last counts.

use std::sync::Arc;

use argosy_events::{Envelope, structured};
use argosy_runtime::RawRecord;
use argosy_store::{LetterId, LetterRow, limits::TEXT_BYTES_MAX};
use bytes::Bytes;

/// Names that stand for us; all others are the record's.
const RESERVED: [&str; 2] = ["__dlq.", "argosy.dlq."];

/// What a record's own header of a reserved name has before it.
const EARLIER: &str = "argosy.earlier.";

/// The row of a letter; `None` if it does not say whose letter it is.
pub(crate) fn read(letter: RawRecord) -> Option<LetterRow> {
    let said = Said(&letter.headers);
    let id = said.id()?;
    let headers = letter.headers.iter().filter_map(original);
    let headers: Vec<(String, Bytes)> = headers.collect();
    let envelope = envelope(&id, &headers, letter.value.as_ref());
    let envelope = envelope.as_ref();
    let written_ms = letter.timestamp_ms.unwrap_or_default();
    let last_failure_ms = said.number("argosy.dlq.last-failure-ms");
    let last_failure_ms = last_failure_ms.unwrap_or(written_ms);
    let attempts = said.number("argosy.dlq.attempts");
    let attempts = attempts.or_else(|| said.number("__dlq.errors.delivery.count"));
    Some(LetterRow {
        letter_partition: letter.partition,
        letter_offset: letter.offset,
        source: envelope.map(|envelope| Arc::clone(&envelope.source)),
        event: envelope.map(|envelope| Arc::clone(&envelope.id)),
        event_type: envelope.map(|envelope| Arc::clone(&envelope.event_type)),
        correlation: envelope.map(|envelope| Arc::clone(&envelope.correlation_id)),
        timestamp_ms: said.number("argosy.dlq.timestamp-ms"),
        is_reference: said.value("argosy.dlq.value").is_some()
            || said.value("argosy.dlq.headers").is_some(),
        cause: said.text("argosy.dlq.cause").unwrap_or_default(),
        fingerprint: said.text("argosy.dlq.fingerprint").unwrap_or_default(),
        message: said.text("__dlq.errors.message").unwrap_or_default(),
        dependency: said.text("argosy.dlq.dependency"),
        status: said.number("argosy.dlq.status"),
        attempts: attempts.unwrap_or_default(),
        first_failure_ms: said
            .number("argosy.dlq.first-failure-ms")
            .unwrap_or(last_failure_ms),
        last_failure_ms,
        epoch: said.number("argosy.dlq.epoch").unwrap_or_default(),
        build: said.text("argosy.dlq.build").unwrap_or_default(),
        id,
        key: letter.key,
        value: letter.value,
        headers,
    })
}

/// What the letter says, beside the record's own headers.
struct Said<'a>(&'a [(String, Bytes)]);

impl Said<'_> {
    fn id(&self) -> Option<LetterId> {
        let named = |name| std::str::from_utf8(self.value(name)?).ok();
        let worker = named("argosy.dlq.worker").or_else(|| named("__dlq.errors.group"))?;
        let topic = named("__dlq.errors.topic")?;
        let partition: i32 = self.number("__dlq.errors.partition")?;
        let offset: i64 = self.number("__dlq.errors.offset")?;
        // A place that no record can have, or a name that would not read back, names nothing.
        format!("{worker}/{topic}/{partition}/{offset}")
            .parse()
            .ok()
    }

    fn value(&self, name: &str) -> Option<&[u8]> {
        let mut headers = self.0.iter().rev();
        let found = headers.find(|(found, _)| found == name);
        found.map(|(_, value)| &value[..])
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        std::str::from_utf8(self.value(name)?).ok()?.parse().ok()
    }

    /// As much of it as the store takes.
    fn text(&self, name: &str) -> Option<Arc<str>> {
        let text = String::from_utf8_lossy(self.value(name)?);
        let end = text.floor_char_boundary(TEXT_BYTES_MAX);
        Some(Arc::from(&text[..end]))
    }
}

/// A header of the record as it was; `None` for one of ours.
fn original((name, value): &(String, Bytes)) -> Option<(String, Bytes)> {
    let is_reserved = |name: &str| RESERVED.iter().any(|reserved| name.starts_with(reserved));
    if is_reserved(name) {
        return None;
    }
    let earlier = name.strip_prefix(EARLIER).filter(|name| is_reserved(name));
    Some((earlier.unwrap_or(name).to_owned(), value.clone()))
}

/// Who said what, as its worker would have read it.
fn envelope(id: &LetterId, headers: &[(String, Bytes)], value: Option<&Bytes>) -> Option<Envelope> {
    let read = |headers: &[_]| Envelope::read(headers, &id.topic, id.partition, id.offset).ok();
    if !structured::is_structured_record(headers) {
        return read(headers);
    }
    let (headers, _) = structured::open(value.map(|value| &value[..]).unwrap_or_default()).ok()?;
    read(&headers)
}

#[cfg(test)]
mod tests;
