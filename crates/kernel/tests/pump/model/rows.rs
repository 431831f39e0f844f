//! The store's part of the truth: parked rows, fenced by the newest epoch.

use std::collections::BTreeMap;

use argosy_kernel::{
    Input, LaneKey, Offset, ParkFault, ParkWrite, ParkedLane, ParkedLoad, ParkedRecord,
    ParkedState, Partition, Waiting,
};

use super::{Owed, Shell, lane_of};
use crate::world::millis;

/// One parked record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    attempts: u32,
    pub(super) is_settled: bool,
    is_replayed: bool,
}

impl Shell {
    /// A write is carried out or not, and its answer may not say which.
    pub(super) fn answer_park(&mut self, write: &ParkWrite<i64>) {
        let owner = self.epochs.get(&write.partition).copied();
        let result = if owner != Some(write.epoch.0) {
            Err(ParkFault::Fenced)
        } else if self.chance(10) {
            Err(ParkFault::Unavailable)
        } else {
            self.write(write);
            if self.chance(10) {
                Err(ParkFault::Unavailable)
            } else {
                Ok(())
            }
        };
        self.on(Input::Parked {
            partition: write.partition,
            assignment: write.assignment,
            park: write.park,
            result,
        });
    }

    fn write(&mut self, write: &ParkWrite<i64>) {
        let partition = write.partition;
        for record in &write.records {
            assert_eq!(
                record.key,
                lane_of(record.offset.0),
                "parked under another key"
            );
            let row = Row {
                attempts: 0,
                is_settled: false,
                is_replayed: false,
            };
            self.rows.entry((partition, record.offset.0)).or_insert(row);
            self.parked += 1;
        }
        for look in &write.looks {
            if let Some(row) = self.rows.get_mut(&(partition, look.offset.0)) {
                row.attempts = look.attempts;
            }
        }
        for offset in &write.settled {
            let told = self.settled.get(&(partition, offset.0));
            assert!(
                told.is_some_and(|(_, acknowledged)| *acknowledged),
                "buried before it is told"
            );
            if let Some(row) = self.rows.get_mut(&(partition, offset.0)) {
                row.is_settled = true;
            }
        }
        self.write_holds(write);
        if let Some(passed) = write.passed {
            let committed = self
                .committed
                .get(&partition)
                .map_or(0, |(offset, _)| *offset);
            assert!(
                passed.0 <= committed,
                "tombstones that may still be delivered are dropped"
            );
            self.rows.retain(|&(of, offset), row| {
                of != partition || !row.is_settled || offset >= passed.0
            });
        }
    }

    fn write_holds(&mut self, write: &ParkWrite<i64>) {
        let partition = write.partition;
        for key in &write.released {
            self.holds.remove(&(partition, key.clone()));
        }
        for hold in &write.holds {
            assert!(
                !write.released.contains(&hold.key),
                "held and released at once"
            );
            self.holds
                .insert((partition, hold.key.clone()), hold.offset.0);
            self.held_keys += 1;
        }
        for replay in &write.replays {
            if self.close_step(replay.number) {
                assert_eq!(
                    replay.key,
                    lane_of(replay.offset.0),
                    "replayed outside its lane"
                );
                let row = Row {
                    attempts: 0,
                    is_settled: false,
                    is_replayed: true,
                };
                let place = (partition, replay.offset.0);
                let known = self.rows.entry(place).or_insert(row);
                if known.is_settled {
                    *known = row;
                }
                self.replayed += 1;
            }
        }
        for number in &write.ended {
            self.close_step(*number);
        }
        for offset in &write.revived {
            let letter = self.letters.get_mut(&(partition, offset.0));
            *letter.expect("only what was dead is revived") = false;
        }
    }

    pub(super) fn answer_load(&mut self, load: ParkedLoad) {
        let result = if self.chance(10) {
            Err(ParkFault::Unavailable)
        } else {
            Ok(self.read(&load))
        };
        self.on(Input::ParkedLoaded {
            partition: load.partition,
            assignment: load.assignment,
            load: load.load,
            key: load.key,
            result,
        });
    }

    fn read(&self, load: &ParkedLoad) -> Vec<ParkedRecord<i64>> {
        let rows = self.rows.iter().filter(|((partition, offset), row)| {
            *partition == load.partition
                && lane_of(*offset) == load.key
                && !row.is_settled
                && load.through.is_none_or(|through| *offset <= through.0)
        });
        rows.take(load.records_max)
            .map(|(&(_, offset), row)| ParkedRecord {
                offset: Offset(offset),
                bytes: 10,
                attempts: row.attempts,
                age: millis(0),
                replayed: row.is_replayed,
                body: offset,
            })
            .collect()
    }

    /// What a new owner of a partition finds.
    pub(super) fn found(&mut self, partition: Partition) -> ParkedState {
        let mut offsets = Vec::new();
        let mut lanes: BTreeMap<LaneKey, (usize, Option<Offset>)> = BTreeMap::new();
        for (&(of, offset), row) in &self.rows {
            if of != partition {
                continue;
            }
            offsets.push(Offset(offset));
            if !row.is_settled {
                let (records, head) = lanes.entry(lane_of(offset)).or_default();
                *records += 1;
                head.get_or_insert(Offset(offset));
            }
        }
        for (of, key) in self.holds.keys() {
            if *of == partition {
                lanes.entry(key.clone()).or_default();
            }
        }
        let lanes = lanes.into_iter().map(|(key, (records, head))| ParkedLane {
            records,
            bytes: records * 10,
            cause: match self.draw(2) {
                0 => Waiting::Retry,
                _ => Waiting::Dependency("shop".into()),
            },
            due: millis(self.draw(500)),
            head,
            held: self
                .holds
                .get(&(partition, key.clone()))
                .map(|&held| Offset(held)),
            key,
        });
        ParkedState {
            lanes: lanes.collect(),
            offsets,
            suspects: Vec::new(),
        }
    }

    pub(super) fn owe_park(&mut self, write: ParkWrite<i64>) {
        let out = self.owed.iter().filter(|owed| {
            matches!(owed, Owed::Park(other) if other.partition == write.partition && other.assignment == write.assignment && other.epoch == write.epoch)
        });
        assert_eq!(out.count(), 0, "two writes of one partition are out");
        self.owed.push(Owed::Park(write));
    }
}
