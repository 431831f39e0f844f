//! Parked rows in the model: fenced, whole lanes, tombstones until they are passed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use argosy_kernel::LaneKey;
use argosy_store::{
    FoundLane, FoundParked, HeldLane, LetterId, LetterState, LoadedRow, OwnerKey, ParkAnswer,
    ParkChange, ParkLoad, ParkedLook, ParkedRow, PlanStepKind, ReplayedRow, StoreError,
    limits::LOAD_ROWS_MAX,
};

use super::{letters, suspects, tables::Tables};

/// A parked row, or its tombstone.
#[derive(Clone, Debug)]
pub(super) enum StoredRow {
    /// It waits.
    Waiting {
        /// The record.
        row: Box<ParkedRow>,
        /// What it waits for, and when it was said.
        look: Option<(ParkedLook, Duration)>,
        /// It was dead, and is here by a replay.
        replayed: bool,
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
        holds,
        released,
        replays,
        ended,
        revived,
    } = change;
    if tables.epoch(&owner) != Some(epoch) {
        return ParkAnswer::Fenced;
    }
    if let Some(passed) = passed {
        forget(tables, &owner, passed);
    }
    for row in rows {
        add(tables, &owner, row);
    }
    for look in looks {
        say(tables, now, &owner, look);
    }
    for offset in settled {
        if tables.parked(&owner, offset).is_some() {
            tables.put_parked(&owner, offset, Some(StoredRow::Tombstone));
        }
    }
    for lane in released {
        tables.put_hold(&owner, lane, None);
    }
    for HeldLane { lane, offset } in holds {
        tables.put_hold(&owner, lane, Some(offset));
    }
    for offset in revived {
        letters::mark(tables, &letter_of(&owner, offset), LetterState::Done);
    }
    for replay in replays {
        take_back(tables, &owner, replay);
    }
    for step in ended {
        letters::carry_out(tables, &owner, step, |_| true);
    }
    ParkAnswer::Done
}

fn forget(tables: &mut Tables, owner: &OwnerKey, passed: i64) {
    for offset in tables.parked_offsets(owner) {
        let is_tombstone = matches!(tables.parked(owner, offset), Some(StoredRow::Tombstone));
        if is_tombstone && offset < passed {
            tables.put_parked(owner, offset, None);
        }
    }
}

fn add(tables: &mut Tables, owner: &OwnerKey, row: ParkedRow) {
    if tables.parked(owner, row.offset).is_none() {
        let offset = row.offset;
        let waiting = StoredRow::Waiting {
            row: Box::new(row),
            look: None,
            replayed: false,
        };
        tables.put_parked(owner, offset, Some(waiting));
    }
}

fn say(tables: &mut Tables, now: Duration, owner: &OwnerKey, look: ParkedLook) {
    if let Some(StoredRow::Waiting { row, replayed, .. }) = tables.parked(owner, look.offset) {
        let offset = look.offset;
        let waiting = StoredRow::Waiting {
            row: row.clone(),
            look: Some((look, now)),
            replayed: *replayed,
        };
        tables.put_parked(owner, offset, Some(waiting));
    }
}

/// A dead record waits as a row again, if its step is open.
fn take_back(tables: &mut Tables, owner: &OwnerKey, replay: ReplayedRow) {
    let ReplayedRow { step, lane, offset } = replay;
    let carried_out = letters::carry_out(tables, owner, step, |step| {
        step.kind == PlanStepKind::Replay && step.id.offset == offset
    });
    let Some(id) = carried_out else {
        return;
    };
    let Some(stored) = tables.letter(&id).filter(|it| !it.row.is_reference) else {
        return;
    };
    let dead = &stored.row;
    let (row, look) = match tables.parked(owner, offset) {
        Some(StoredRow::Waiting { row, look, .. }) => (row.clone(), look.clone()),
        Some(StoredRow::Tombstone) | None => {
            let row = ParkedRow {
                lane,
                offset,
                timestamp_ms: dead.timestamp_ms,
                key: dead.key.clone(),
                value: dead.value.clone(),
                headers: dead.headers.clone(),
            };
            (Box::new(row), None)
        }
    };
    let waiting = StoredRow::Waiting {
        row,
        look,
        replayed: true,
    };
    tables.put_parked(owner, offset, Some(waiting));
    letters::mark(tables, &id, LetterState::Replaying);
}

fn letter_of(owner: &OwnerKey, offset: i64) -> LetterId {
    LetterId {
        worker: Arc::clone(&owner.worker),
        topic: Arc::clone(&owner.topic),
        partition: owner.partition,
        offset,
    }
}

pub(super) fn found(tables: &Tables, now: Duration, owner: &OwnerKey) -> FoundParked {
    let offsets = tables.parked_offsets(owner);
    let mut lanes: BTreeMap<LaneKey, FoundLane> = BTreeMap::new();
    for &offset in &offsets {
        let Some(StoredRow::Waiting { row, look, .. }) = tables.parked(owner, offset) else {
            continue;
        };
        let lane = lanes.entry(row.lane.clone()).or_insert_with(|| FoundLane {
            head: Some(offset),
            look: look.as_ref().map(|(look, since)| ParkedLook {
                due: (*since + look.due).saturating_sub(now),
                ..look.clone()
            }),
            ..without_rows(&row.lane)
        });
        lane.rows += 1;
        lane.bytes += row.bytes();
    }
    for (lane, offset) in tables.holds(owner) {
        let found = lanes
            .entry(lane.clone())
            .or_insert_with(|| without_rows(lane));
        found.held = Some(offset);
    }
    let mut lanes: Vec<_> = lanes.into_values().collect();
    lanes.sort_by_key(|lane| (lane.head.is_none(), lane.head, lane.held));
    FoundParked {
        lanes,
        offsets,
        suspects: suspects::found(tables, owner),
    }
}

fn without_rows(lane: &LaneKey) -> FoundLane {
    FoundLane {
        lane: lane.clone(),
        rows: 0,
        bytes: 0,
        look: None,
        head: None,
        held: None,
    }
}

pub(super) fn load(tables: &Tables, loads: &[ParkLoad]) -> Vec<Vec<LoadedRow>> {
    loads.iter().map(|load| load_one(tables, load)).collect()
}

fn load_one(tables: &Tables, load: &ParkLoad) -> Vec<LoadedRow> {
    let offsets = tables.parked_offsets(&load.owner);
    let rows = offsets.iter().filter_map(|&offset| {
        let Some(StoredRow::Waiting {
            row,
            look,
            replayed,
        }) = tables.parked(&load.owner, offset)
        else {
            return None;
        };
        let look = look.as_ref().map(|(look, _)| look);
        let is_asked = row.lane == load.lane && load.through.is_none_or(|last| offset <= last);
        is_asked.then(|| LoadedRow {
            row: (**row).clone(),
            attempts: look.map_or(0, |look| look.attempts),
            age: look.map_or(Duration::ZERO, |look| look.age),
            replayed: *replayed,
        })
    });
    rows.take(load.rows_max.clamp(1, LOAD_ROWS_MAX)).collect()
}
