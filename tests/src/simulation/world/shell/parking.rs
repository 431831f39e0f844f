//! Parked records on their way to the store and back.

use argosy_kernel::{
    Assignment, Committed, Epoch, Input, Offset, ParkFault, ParkNumber, ParkWrite, ParkedLoad,
    ParkedRecord, Partition, Waiting,
};
use argosy_store::{LoadedRow, ParkChange, ParkLoad, ParkedRow, PlanStepKind};
use argosy_testkit::store::{Answer, Operation};
use bytes::Bytes;

use crate::simulation::{
    event::{InstanceId, ParkedChange, Purpose},
    plan::RecordId,
    world::World,
};

impl World {
    pub(super) fn park(&mut self, id: InstanceId, write: ParkWrite<RecordId>) {
        self.judge
            .buries(write.partition, write.epoch, &write.settled, write.passed);
        let owner = self.owner_keys[&write.partition].clone();
        let purpose = Purpose::Park {
            partition: write.partition,
            assignment: write.assignment,
            park: write.park,
            change: Box::new(ParkedChange {
                rows: write.records.iter().map(|record| record.body).collect(),
                holds: write.holds.clone(),
                released: write.released.clone(),
                revived: write.revived.clone(),
                replays: write.replays.clone(),
                is_fenced: false,
            }),
        };
        let change = ParkChange::of(owner, write, |record| ParkedRow {
            lane: record.key,
            offset: record.offset.0,
            timestamp_ms: None,
            key: None,
            value: Some(Bytes::copy_from_slice(&record.body.0.to_be_bytes())),
            headers: Vec::new(),
        });
        self.ask_store(id, purpose, Operation::Park(vec![change]));
    }

    pub(super) fn load_parked(&mut self, id: InstanceId, load: ParkedLoad) {
        let operation = Operation::LoadParked(vec![ParkLoad {
            owner: self.owner_keys[&load.partition].clone(),
            lane: load.key.clone(),
            rows_max: load.records_max,
            through: load.through.map(|offset| offset.0),
        }]);
        self.ask_store(id, Purpose::Load(load), operation);
    }

    /// What a change of parked rows will do, known when it arrives.
    pub(in crate::simulation::world) fn foresee(
        &self,
        mut purpose: Purpose,
        operation: &Operation,
    ) -> Purpose {
        if let (Purpose::Park { change, .. }, Operation::Park(asked)) = (&mut purpose, operation) {
            let model = &self.store.model;
            change.is_fenced = asked
                .iter()
                .any(|asked| model.epoch(&asked.owner) != Some(asked.epoch));
            change.replays.retain(|replay| {
                let number = replay.number.0;
                let mut open = model.open_steps();
                open.any(|(open, _, kind)| open == number && kind == PlanStepKind::Replay)
            });
        }
        purpose
    }

    /// The store has what it was asked for durably.
    pub(in crate::simulation::world) fn stored(&mut self, by: InstanceId, purpose: &Purpose) {
        let Purpose::Park {
            partition, change, ..
        } = purpose
        else {
            return;
        };
        if change.is_fenced {
            self.coverage.parks_refused_by_epoch += 1;
            return;
        }
        self.coverage.records_parked += change.rows.len() as u64;
        self.coverage.keys_held += change.holds.len() as u64;
        self.coverage.letters_replayed += change.replays.len() as u64;
        self.coverage.revived += change.revived.len() as u64;
        self.coverage.holds_released += self.judge.stored(by, *partition, change);
    }

    pub(super) fn hear_parked(
        &mut self,
        id: InstanceId,
        (partition, assignment, park): (Partition, Assignment, ParkNumber),
        answer: Option<&Answer>,
    ) {
        let result = match answer {
            Some(Answer::Park(answers)) if answers.len() == 1 => answers[0].result(),
            _ => Err(ParkFault::Unavailable),
        };
        self.turn(
            id,
            Input::Parked {
                partition,
                assignment,
                park,
                result,
            },
        );
    }

    pub(super) fn hear_loaded(&mut self, id: InstanceId, load: ParkedLoad, answer: Option<Answer>) {
        let result = match answer {
            Some(Answer::LoadedParked(mut rows)) => Ok(rows
                .pop()
                .unwrap_or_default()
                .into_iter()
                .map(|row| self.loaded(row))
                .collect()),
            _ => Err(ParkFault::Unavailable),
        };
        if let Ok(rows) = &result {
            let rows: &Vec<ParkedRecord<RecordId>> = rows;
            self.coverage.records_loaded += rows.len() as u64;
        }
        self.turn(
            id,
            Input::ParkedLoaded {
                partition: load.partition,
                assignment: load.assignment,
                load: load.load,
                key: load.key,
                result,
            },
        );
    }

    fn loaded(&self, loaded: LoadedRow) -> ParkedRecord<RecordId> {
        let value = loaded.row.value.unwrap_or_default();
        let number = value[..].try_into().map_or(0, u32::from_be_bytes);
        let record = RecordId(number);
        ParkedRecord {
            offset: Offset(loaded.row.offset),
            bytes: self.plan.record(record).bytes,
            attempts: loaded.attempts,
            age: loaded.age,
            replayed: loaded.replayed,
            body: record,
        }
    }

    /// An ownership is complete when it is known what is parked.
    pub(super) fn hear_found(
        &mut self,
        id: InstanceId,
        (partition, assignment, epoch): (Partition, Assignment, Epoch),
        committed: Option<Committed>,
        answer: Option<Answer>,
    ) {
        let input = match answer {
            Some(Answer::Parked(found)) => {
                self.coverage.parked_lanes_found += found.lanes.len() as u64;
                let from = committed.as_ref().map_or(0, |committed| committed.offset.0);
                let again = found.offsets.iter().filter(|offset| **offset >= from);
                self.coverage.parked_redelivered += again.count() as u64;
                Input::Owned {
                    partition,
                    assignment,
                    epoch,
                    committed,
                    parked: found.into(),
                }
            }
            _ => Input::NotOwned {
                partition,
                assignment,
                cause: Waiting::Dependency("store".into()),
            },
        };
        self.turn(id, input);
    }
}
