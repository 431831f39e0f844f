//! Parked records on their way to the store and back.

use std::time::Duration;

use argosy_kernel::{
    Assignment, Committed, Epoch, Input, Offset, ParkFault, ParkNumber, ParkWrite, ParkedLane,
    ParkedLoad, ParkedRecord, ParkedState, Partition, Waiting,
};
use argosy_store::{
    FoundParked, LoadedRow, ParkAnswer, ParkChange, ParkLoad, ParkedLook, ParkedRow,
};
use argosy_testkit::store::{Answer, Operation};
use bytes::Bytes;

use crate::simulation::{
    event::{InstanceId, Outgoing, Purpose},
    plan::RecordId,
    world::World,
};

impl World {
    pub(super) fn park(&mut self, id: InstanceId, write: ParkWrite<RecordId>) {
        let ParkWrite {
            park,
            partition,
            assignment,
            epoch,
            records,
            looks,
            settled,
            passed,
        } = write;
        self.judge.buries(partition, &settled, passed);
        let rows: Vec<RecordId> = records.iter().map(|record| record.body).collect();
        let change = ParkChange {
            owner: self.owner_keys[&partition].clone(),
            epoch,
            rows: records
                .into_iter()
                .map(|record| ParkedRow {
                    lane: record.key,
                    offset: record.offset.0,
                    timestamp_ms: None,
                    key: None,
                    value: Some(Bytes::copy_from_slice(&record.body.0.to_be_bytes())),
                    headers: Vec::new(),
                })
                .collect(),
            looks: looks
                .into_iter()
                .map(|look| ParkedLook {
                    offset: look.offset.0,
                    cause: look.cause.name().into(),
                    dependency: match look.cause {
                        Waiting::Dependency(name) => Some(name),
                        _ => None,
                    },
                    due: look.due,
                    attempts: look.attempts,
                    age: look.age,
                })
                .collect(),
            settled: settled.into_iter().map(|offset| offset.0).collect(),
            passed: passed.map(|offset| offset.0),
        };
        let purpose = Purpose::Park {
            partition,
            assignment,
            park,
            rows,
        };
        self.send(id, Outgoing::Store(purpose, Operation::Park(vec![change])));
    }

    pub(super) fn load_parked(&mut self, id: InstanceId, load: ParkedLoad) {
        let operation = Operation::LoadParked(vec![ParkLoad {
            owner: self.owner_keys[&load.partition].clone(),
            lane: load.key.clone(),
            rows_max: load.records_max,
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
            Some(Answer::Park(answers)) if answers[..] == [ParkAnswer::Done] => Ok(()),
            Some(Answer::Park(_)) => Err(ParkFault::Fenced),
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
                    parked: state(found),
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

fn state(found: FoundParked) -> ParkedState {
    let lanes = found.lanes.into_iter().map(|lane| ParkedLane {
        key: lane.lane,
        records: lane.rows,
        bytes: lane.bytes,
        due: lane.look.as_ref().map_or(Duration::ZERO, |look| look.due),
        cause: match lane.look.and_then(|look| look.dependency) {
            Some(name) => Waiting::Dependency(name),
            None => Waiting::Retry,
        },
    });
    ParkedState {
        lanes: lanes.collect(),
        offsets: found.offsets.into_iter().map(Offset).collect(),
    }
}
