//! Parked rows in the model: fenced, whole lanes, tombstones until they are passed.

use std::{collections::BTreeMap, time::Duration};

use argosy_store::{
    FoundLane, FoundParked, LoadedRow, OwnerKey, ParkAnswer, ParkChange, ParkLoad, ParkedLook,
    ParkedRow, StoreError, limits::LOAD_ROWS_MAX,
};

use super::{suspects, tables::Tables};

/// A parked row, or its tombstone.
#[derive(Clone, Debug)]
pub(super) enum StoredRow {
    /// It waits.
    Waiting {
        /// The record.
        row: Box<ParkedRow>,
        /// What it waits for, and when it was said.
        look: Option<(ParkedLook, Duration)>,
    },
    /// It settled.
    Tombstone,
}

pub(super) fn park(
    tables: &mut Tables,
    now: Duration,
    changes: Vec<ParkChange>,
) -> Result<Vec<ParkAnswer>, StoreError> {
    changes.iter().try_for_each(ParkChange::check)?;
    Ok(changes
        .into_iter()
        .map(|change| park_one(tables, now, change))
        .collect())
}

fn park_one(tables: &mut Tables, now: Duration, change: ParkChange) -> ParkAnswer {
    let ParkChange {
        owner,
        epoch,
        rows,
        looks,
        settled,
        passed,
    } = change;
    if tables.epoch(&owner) != Some(epoch) {
        return ParkAnswer::Fenced;
    }
    if let Some(passed) = passed {
        for offset in tables.parked_offsets(&owner) {
            let is_tombstone = matches!(tables.parked(&owner, offset), Some(StoredRow::Tombstone));
            if is_tombstone && offset < passed {
                tables.put_parked(&owner, offset, None);
            }
        }
    }
    for row in rows {
        if tables.parked(&owner, row.offset).is_none() {
            let offset = row.offset;
            tables.put_parked(
                &owner,
                offset,
                Some(StoredRow::Waiting {
                    row: Box::new(row),
                    look: None,
                }),
            );
        }
    }
    for look in looks {
        if let Some(StoredRow::Waiting { row, .. }) = tables.parked(&owner, look.offset) {
            let row = row.clone();
            let offset = look.offset;
            let look = Some((look, now));
            tables.put_parked(&owner, offset, Some(StoredRow::Waiting { row, look }));
        }
    }
    for offset in settled {
        if tables.parked(&owner, offset).is_some() {
            tables.put_parked(&owner, offset, Some(StoredRow::Tombstone));
        }
    }
    ParkAnswer::Done
}

pub(super) fn found(tables: &Tables, now: Duration, owner: &OwnerKey) -> FoundParked {
    let offsets = tables.parked_offsets(owner);
    let mut lanes: BTreeMap<i64, FoundLane> = BTreeMap::new();
    let mut heads = BTreeMap::new();
    for &offset in &offsets {
        let Some(StoredRow::Waiting { row, look }) = tables.parked(owner, offset) else {
            continue;
        };
        let head = *heads.entry(row.lane.clone()).or_insert(offset);
        let lane = lanes.entry(head).or_insert_with(|| FoundLane {
            lane: row.lane.clone(),
            rows: 0,
            bytes: 0,
            look: look.as_ref().map(|(look, since)| ParkedLook {
                due: (*since + look.due).saturating_sub(now),
                ..look.clone()
            }),
        });
        lane.rows += 1;
        lane.bytes += row.bytes();
    }
    FoundParked {
        lanes: lanes.into_values().collect(),
        offsets,
        suspects: suspects::found(tables, owner),
    }
}

pub(super) fn load(tables: &Tables, loads: &[ParkLoad]) -> Vec<Vec<LoadedRow>> {
    loads.iter().map(|load| load_one(tables, load)).collect()
}

fn load_one(tables: &Tables, load: &ParkLoad) -> Vec<LoadedRow> {
    let offsets = tables.parked_offsets(&load.owner);
    let rows = offsets.iter().filter_map(|&offset| {
        let Some(StoredRow::Waiting { row, look }) = tables.parked(&load.owner, offset) else {
            return None;
        };
        let look = look.as_ref().map(|(look, _)| look);
        (row.lane == load.lane).then(|| LoadedRow {
            row: (**row).clone(),
            attempts: look.map_or(0, |look| look.attempts),
            age: look.map_or(Duration::ZERO, |look| look.age),
        })
    });
    rows.take(load.rows_max.clamp(1, LOAD_ROWS_MAX)).collect()
}
