//! The body on `argosy.timelines.v1`.

use super::{
    check::{at_most, id, invalid, not_negative},
    payload,
};
use crate::{Invalid, catalogue, fleet::v1::TimelineBatch};

/// Most entries of one batch; writers stop at 64 KiB, long before.
const ENTRIES_MAX: usize = 10_000;

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
    for (index, entry) in batch.entries.iter().enumerate() {
        not_negative(&format!("entries[{index}].number"), entry.number)?;
        id(
            &format!("entries[{index}].correlation_id"),
            &entry.correlation_id,
        )?;
        id(&format!("entries[{index}].id"), &entry.id)?;
        id(&format!("entries[{index}].worker"), &entry.worker)?;
    }
    Ok(())
}
