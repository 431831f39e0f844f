//! Reads an envelope from headers.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Envelope, EnvelopeError, Header, Place, attribute::Attribute};

pub(crate) const SPEC_VERSION: &str = "ce_specversion";
pub(crate) const ID: &str = "ce_id";
pub(crate) const SOURCE: &str = "ce_source";
pub(crate) const TYPE: &str = "ce_type";
pub(crate) const TIME: &str = "ce_time";
pub(crate) const SUBJECT: &str = "ce_subject";
pub(crate) const CORRELATION: &str = "ce_correlationid";
pub(crate) const CAUSATION: &str = "ce_causationid";
pub(crate) const CONTENT_TYPE: &str = "content-type";
pub(crate) const TRACE_PARENT: &str = "traceparent";
pub(crate) const TRACE_STATE: &str = "tracestate";

/// Ids, types and content types.
const SHORT: usize = 255;

/// Sources and subjects are addresses.
const LONG: usize = 1_024;

/// As the trace context's specification bounds it.
const TRACE_STATE_CHARS_MAX: usize = 512;

/// The type in these headers, undecoded: for skipping what nobody here handles. `None` if there is none or it is no
/// UTF-8 text.
pub fn event_type_of(headers: &[Header]) -> Option<&str> {
    find(headers, TYPE).and_then(|bytes| str::from_utf8(bytes).ok())
}

pub(super) fn read(headers: &[Header], place: Place<'_>) -> Result<Envelope, EnvelopeError> {
    let short = |name| optional(headers, name, SHORT);
    let long = |name| optional(headers, name, LONG);
    check_spec_version(short(SPEC_VERSION)?.as_deref())?;
    let event_type = short(TYPE)?.ok_or(EnvelopeError::Missing(TYPE))?;
    let (source, id) = match (long(SOURCE)?, short(ID)?) {
        (Some(source), Some(id)) => (source, id),
        (None, Some(id)) => (place.source(), id),
        (_, None) => (place.source(), place.id()),
    };
    let correlation_id = short(CORRELATION)?.unwrap_or_else(|| Arc::clone(&id));
    let traceparent = trace_parent(headers);
    Ok(Envelope {
        source,
        id,
        event_type,
        time_ms: short(TIME)?.as_deref().map(time_ms).transpose()?,
        subject: long(SUBJECT)?,
        correlation_id,
        causation_id: short(CAUSATION)?,
        tracestate: traceparent
            .as_ref()
            .and(optional(headers, TRACE_STATE, TRACE_STATE_CHARS_MAX).unwrap_or(None)),
        traceparent,
        content_type: short(CONTENT_TYPE)?,
    })
}

/// A name that stands twice counts as it stands first: whoever appends a header later cannot change what is said.
fn find<'a>(headers: &'a [Header], name: &str) -> Option<&'a [u8]> {
    headers
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| &**value)
}

fn optional(
    headers: &[Header],
    name: &'static str,
    chars_max: usize,
) -> Result<Option<Arc<str>>, EnvelopeError> {
    find(headers, name)
        .map(|bytes| Attribute { name, chars_max }.parse(bytes))
        .transpose()
}

fn check_spec_version(version: Option<&str>) -> Result<(), EnvelopeError> {
    match version {
        None | Some("1.0") => Ok(()),
        Some(_) => Err(EnvelopeError::Malformed {
            name: SPEC_VERSION,
            wanted: "1.0",
        }),
    }
}

fn time_ms(text: &str) -> Result<i64, EnvelopeError> {
    let time: Timestamp = text.parse().map_err(|_| EnvelopeError::Malformed {
        name: TIME,
        wanted: "an RFC 3339 time",
    })?;
    Ok(time.as_millisecond())
}

/// `00-<32 hex>-<16 hex>-<2 hex>` and what later versions append; anything else is as if it were not there.
fn trace_parent(headers: &[Header]) -> Option<Arc<str>> {
    let text = optional(headers, TRACE_PARENT, SHORT).ok()??;
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags, ..] = parts.as_slice() else {
        return None;
    };
    let sized = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
    let hex = |part: &str| {
        part.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
    let well_formed = sized
        .iter()
        .all(|(part, length)| part.len() == *length && hex(part));
    (well_formed && *version != "ff" && !zero(trace) && !zero(span)).then_some(text)
}
