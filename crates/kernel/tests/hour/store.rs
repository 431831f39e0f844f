//! Parked rows of all partitions, as a store keeps them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use argosy_kernel::{
    LaneKey, Offset, ParkWrite, ParkedLane, ParkedLoad, ParkedRecord, ParkedState, Partition,
    Waiting,
};

/// The rows of one partition.
#[derive(Debug, Default)]
struct Rows {
    /// Rows that are not settled, by lane.
    lanes: HashMap<LaneKey, BTreeMap<Offset, u32>>,
    lane_of: BTreeMap<Offset, LaneKey>,
    tombstones: BTreeSet<Offset>,
}

/// All rows.
#[derive(Debug, Default)]
pub(crate) struct Store(BTreeMap<Partition, Rows>);

impl Store {
    pub(crate) fn write(&mut self, write: &ParkWrite<u64>) {
        let rows = self.0.entry(write.partition).or_default();
        for record in &write.records {
            if rows.tombstones.contains(&record.offset) {
                continue;
            }
            let lane = rows.lanes.entry(record.key.clone()).or_default();
            lane.entry(record.offset).or_insert(0);
            rows.lane_of.insert(record.offset, record.key.clone());
        }
        for look in &write.looks {
            let lane = rows.lanes.get_mut(&look.key);
            if let Some(attempts) = lane.and_then(|lane| lane.get_mut(&look.offset)) {
                *attempts = look.attempts;
            }
        }
        for offset in &write.settled {
            let key = rows.lane_of.remove(offset);
            let key = key.expect("only what is parked is buried");
            let lane = rows.lanes.get_mut(&key).expect("its lane is there");
            lane.remove(offset);
            if lane.is_empty() {
                rows.lanes.remove(&key);
            }
            rows.tombstones.insert(*offset);
        }
        if let Some(passed) = write.passed {
            rows.tombstones = rows.tombstones.split_off(&passed);
        }
    }

    pub(crate) fn load(&self, load: &ParkedLoad) -> Vec<ParkedRecord<u64>> {
        let lane = self.0.get(&load.partition);
        let lane = lane.and_then(|rows| rows.lanes.get(&load.key));
        let rows = lane.into_iter().flatten().take(load.records_max);
        rows.map(|(&offset, &attempts)| ParkedRecord {
            offset,
            bytes: 500,
            attempts,
            age: Duration::ZERO,
            replayed: false,
            body: number_of(&load.key),
        })
        .collect()
    }

    /// What a new owner finds.
    pub(crate) fn state(&self, partition: Partition) -> ParkedState {
        let Some(rows) = self.0.get(&partition) else {
            return ParkedState::default();
        };
        let mut offsets: Vec<Offset> = rows.lane_of.keys().copied().collect();
        offsets.extend(&rows.tombstones);
        offsets.sort_unstable();
        let mut lanes: Vec<_> = rows.lanes.iter().collect();
        lanes.sort_by_key(|(_, lane)| lane.keys().next());
        let lanes = lanes.into_iter().map(|(key, lane)| ParkedLane {
            key: key.clone(),
            records: lane.len(),
            bytes: lane.len() * 500,
            cause: Waiting::Dependency("acme".into()),
            due: Duration::ZERO,
            head: lane.keys().next().copied(),
            held: None,
        });
        ParkedState {
            lanes: lanes.collect(),
            offsets,
            suspects: Vec::new(),
        }
    }
}

/// The number that a lane's key is made of.
pub(crate) fn number_of(key: &LaneKey) -> u64 {
    match key {
        LaneKey::Key(bytes) => {
            let bytes = bytes.as_ref().try_into().expect("keys are eight bytes");
            u64::from_be_bytes(bytes)
        }
        LaneKey::Keyless(_) | LaneKey::Whole => 0,
    }
}
