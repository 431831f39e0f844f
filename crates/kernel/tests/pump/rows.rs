//! A store of parked rows for one partition, as far as the tests of parking, holds and replays go.

use std::{collections::BTreeMap, time::Duration};

use argosy_kernel::{
    Action, Input, LaneKey, Offset, ParkWrite, ParkedLane, ParkedLoad, ParkedRecord, ParkedState,
    Waiting,
};

use crate::world::{Act, P0, World};

/// A store for one partition that does what it is told, when the test lets it.
#[derive(Default)]
pub(crate) struct Rows {
    /// By offset: key, attempts, settled.
    pub(crate) rows: BTreeMap<i64, (LaneKey, u32, bool)>,
    /// Where keys are held.
    pub(crate) holds: BTreeMap<LaneKey, i64>,
    /// Letters whose record is done after all.
    pub(crate) revived: Vec<i64>,
    pub(crate) asked: Vec<ParkWrite<i64>>,
    pub(crate) loads: Vec<ParkedLoad>,
}

impl Rows {
    /// Takes what the pump asks for out of its actions.
    pub(crate) fn hear(&mut self, actions: &[Act]) {
        for action in actions {
            match action {
                Action::Park(write) => self.asked.push(write.clone()),
                Action::LoadParked(load) => self.loads.push(load.clone()),
                _ => {}
            }
        }
    }

    pub(crate) fn write(&mut self, write: &ParkWrite<i64>) {
        for record in &write.records {
            let row = (record.key.clone(), 0, false);
            self.rows.entry(record.offset.0).or_insert(row);
        }
        for look in &write.looks {
            if let Some(row) = self.rows.get_mut(&look.offset.0) {
                row.1 = look.attempts;
            }
        }
        for offset in &write.settled {
            let row = self.rows.get_mut(&offset.0);
            row.expect("only what is parked is buried").2 = true;
        }
        for key in &write.released {
            self.holds.remove(key);
        }
        for hold in &write.holds {
            self.holds.insert(hold.key.clone(), hold.offset.0);
        }
        for replay in &write.replays {
            let row = (replay.key.clone(), 0, false);
            self.rows.insert(replay.offset.0, row);
        }
        self.revived
            .extend(write.revived.iter().map(|offset| offset.0));
        if let Some(passed) = write.passed {
            self.rows
                .retain(|&offset, (_, _, settled)| !*settled || offset >= passed.0);
        }
    }

    /// Does everything that was asked, and what follows from it; returns all that the pump then did.
    pub(crate) fn serve(&mut self, world: &mut World) -> Vec<Act> {
        let mut done = Vec::new();
        loop {
            let input = if !self.asked.is_empty() {
                let write = self.asked.remove(0);
                self.write(&write);
                Input::Parked {
                    partition: write.partition,
                    assignment: write.assignment,
                    park: write.park,
                    result: Ok(()),
                }
            } else if !self.loads.is_empty() {
                let ParkedLoad {
                    load,
                    key,
                    records_max,
                    through,
                    ..
                } = self.loads.remove(0);
                let records = self.load(&key, records_max, through);
                Input::ParkedLoaded {
                    partition: P0,
                    assignment: world.assignment(),
                    load,
                    key,
                    result: Ok(records),
                }
            } else {
                return done;
            };
            let actions = world.on(input);
            self.hear(&actions);
            done.extend(actions);
        }
    }

    pub(crate) fn load(
        &self,
        key: &LaneKey,
        max: usize,
        through: Option<Offset>,
    ) -> Vec<ParkedRecord<i64>> {
        let rows = self.rows.iter();
        rows.filter(|(_, (of, _, settled))| of == key && !settled)
            .filter(|(offset, _)| through.is_none_or(|through| **offset <= through.0))
            .take(max)
            .map(|(&offset, (_, attempts, _))| ParkedRecord {
                offset: Offset(offset),
                bytes: 100,
                attempts: *attempts,
                age: Duration::ZERO,
                replayed: false,
                body: offset,
            })
            .collect()
    }

    pub(crate) fn unsettled(&self) -> Vec<i64> {
        let rows = self.rows.iter().filter(|(_, (_, _, settled))| !settled);
        rows.map(|(&offset, _)| offset).collect()
    }

    /// What a new owner finds.
    pub(crate) fn state(&self) -> ParkedState {
        let mut lanes: BTreeMap<LaneKey, Vec<i64>> = BTreeMap::new();
        for (&offset, (key, _, settled)) in &self.rows {
            if !settled {
                lanes.entry(key.clone()).or_default().push(offset);
            }
        }
        for key in self.holds.keys() {
            lanes.entry(key.clone()).or_default();
        }
        let lanes = lanes.into_iter().map(|(key, offsets)| ParkedLane {
            records: offsets.len(),
            bytes: offsets.len() * 100,
            cause: Waiting::Dependency("acme".into()),
            due: Duration::ZERO,
            head: offsets.first().map(|&head| Offset(head)),
            held: self.holds.get(&key).map(|&held| Offset(held)),
            key,
        });
        ParkedState {
            lanes: lanes.collect(),
            offsets: self.rows.keys().map(|&offset| Offset(offset)).collect(),
            suspects: Vec::new(),
        }
    }
}
