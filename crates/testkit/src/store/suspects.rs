//! Suspects in the model: a death counts once, and what waits is not forgotten.

use std::sync::Arc;

use argosy_store::{
    FoundSuspect, LeftRunning, OwnerKey, StoreError,
    limits::{DEATHS_KEPT_MAX, SUSPECTS_MAX},
};

use super::{parked::StoredRow, tables::Tables};

pub(super) fn tell(tables: &mut Tables, left: &LeftRunning) -> Result<(), StoreError> {
    left.check()?;
    for record in left.once() {
        let owner = OwnerKey {
            worker: Arc::clone(&left.worker),
            topic: record.topic,
            partition: record.partition,
        };
        let mut dead = tables
            .suspect(&owner, record.offset)
            .cloned()
            .unwrap_or_default();
        if record.alone && dead.len() < DEATHS_KEPT_MAX {
            dead.insert(left.instance);
        }
        tables.put_suspect(&owner, record.offset, Some(dead));
    }
    Ok(())
}

pub(super) fn found(tables: &Tables, owner: &OwnerKey) -> Vec<FoundSuspect> {
    let suspects = tables.suspects(owner).take(SUSPECTS_MAX);
    let found = suspects.map(|(offset, dead)| FoundSuspect {
        offset,
        deaths: u32::try_from(dead.len()).unwrap_or(u32::MAX),
    });
    found.collect()
}

pub(super) fn forget(tables: &mut Tables, owner: &OwnerKey, offsets: &[i64]) {
    for &offset in offsets {
        let waits = matches!(
            tables.parked(owner, offset),
            Some(StoredRow::Waiting { .. })
        );
        if !waits && tables.suspect(owner, offset).is_some() {
            tables.put_suspect(owner, offset, None);
        }
    }
}
