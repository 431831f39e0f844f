//! The body on `argosy.timelines.v1`.

use super::{
    check::{at_most, invalid, not_negative},
    payload,
};
use crate::{
    Invalid, catalogue,
    fleet::v1::{Entry, TimelineBatch},
};

/// Most entries of one batch; writers stop at 64 KiB, long before.
const ENTRIES_MAX: usize = 10_000;

/// Most steps of one entry.
const STEPS_MAX: usize = 10_000;

/// Longest name of an event or a flow, in bytes.
const NAME_BYTES_MAX: usize = 4 * 1_024;

payload!(
    TimelineBatch,
    "argosy.fleet.v1.TimelineBatch",
    catalogue::TIMELINES,
    |_| String::new(),
    check_batch
);

fn check_batch(batch: &TimelineBatch) -> Result<(), Invalid> {
    if uuid::Uuid::parse_str(&batch.instance).is_err() {
        return Err(invalid("instance", "is not a UUID"));
    }
    at_most("entries", batch.entries.len(), ENTRIES_MAX)?;
    batch
        .entries
        .iter()
        .enumerate()
        .try_for_each(|(index, entry)| check_entry(&format!("entries[{index}]"), entry))
}

/// Bounds are those of envelopes, in the longest characters: a batch speaks of many events, and one odd name must not
/// take the others' stories with it.
fn check_entry(path: &str, entry: &Entry) -> Result<(), Invalid> {
    not_negative(&format!("{path}.number"), entry.number)?;
    for (name, text) in [
        ("correlation_id", &entry.correlation_id),
        ("source", &entry.source),
        ("id", &entry.id),
        ("worker", &entry.worker),
    ] {
        if text.is_empty() {
            return Err(invalid(format!("{path}.{name}"), "is missing"));
        }
        at_most(&format!("{path}.{name}"), text.len(), NAME_BYTES_MAX)?;
    }
    at_most(&format!("{path}.steps"), entry.steps.len(), STEPS_MAX)
}
