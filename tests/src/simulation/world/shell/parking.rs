//! Parked records on their way to the store and back.

use argosy_kernel::{
    Assignment, Committed, Epoch, Input, Offset, ParkFault, ParkNumber, ParkWrite, ParkedLoad,
    ParkedRecord, Partition, Waiting,
};
use argosy_store::{LoadedRow, ParkAnswer, ParkChange, ParkLoad, ParkedRow};
use argosy_testkit::store::{Answer, Operation};
use bytes::Bytes;

use crate::simulation::{
    event::{InstanceId, Outgoing, Purpose},
    plan::RecordId,
    world::World,
};

impl World {
    pub(super) fn park(&mut self, id: InstanceId, write: ParkWrite<RecordId>) {
        self.judge
            .buries(write.partition, &write.settled, write.passed);
        let owner = self.owner_keys[&write.partition].clone();
        let purpose = Purpose::Park {
            partition: write.partition,
            assignment: write.assignment,
            park: write.park,
            rows: write.records.iter().map(|record| record.body).collect(),
        };
        let change = ParkChange::of(owner, write, |record| ParkedRow {
            lane: record.key,
            offset: record.offset.0,
            timestamp_ms: None,
            key: None,
            value: Some(Bytes::copy_from_slice(&record.body.0.to_be_bytes())),
            headers: Vec::new(),
        });
        self.send(id, Outgoing::Store(purpose, Operation::Park(vec![change])));
    }

    pub(super) fn load_parked(&mut self, id: InstanceId, load: ParkedLoad) {
        let operation = Operation::LoadParked(vec![ParkLoad {
            owner: self.owner_keys[&load.partition].clone(),
            lane: load.key.clone(),
            rows_max: load.records_max,
            through: load.through.map(|offset| offset.0),
        }]);
        self.send(id, Outgoing::Store(Purpose::Load(load), operation));
    }

    /// The store has applied a change of parked rows durably.
    pub(in crate::simulation::world) fn count_parked(
        &mut self,
        rows: &[RecordId],
        answer: &Answer,
    ) {
        if let Answer::Park(answers) = answer {
            for answer in answers {
                match answer {
                    ParkAnswer::Done => {
                        self.coverage.records_parked += rows.len() as u64;
                        self.judge.parked(rows);
                    }
                    ParkAnswer::Fenced => self.coverage.parks_refused_by_epoch += 1,
                }
            }
        }
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
