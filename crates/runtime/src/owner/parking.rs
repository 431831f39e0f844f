//! Parked records: into the store and back, as the pump asks for it.

use std::sync::Arc;

use argosy_broker::{Delivery, TopicPartition};
use argosy_kernel::{
    Input, LaneKey, Offset, ParkFault, ParkWrite, ParkedLane, ParkedLoad, ParkedRecord,
    ParkedState, Partition, Waiting,
};
use argosy_store::{
    FoundParked, LoadedRow, OwnerKey, ParkAnswer, ParkChange, ParkLoad, ParkedLook, ParkedRow,
};

use super::Owner;
use crate::{
    clock,
    delivered::{Body, Delivered},
    telemetry,
    worker::Handlers,
};

impl Owner {
    pub(super) fn park(&self, write: ParkWrite<Body>) {
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
        let change = ParkChange {
            owner: self.owner_key(partition),
            epoch,
            rows: records
                .into_iter()
                .map(|record| row(record.key, &record.body.delivery))
                .collect(),
            looks: looks
                .into_iter()
                .map(|look| ParkedLook {
                    offset: look.offset.0,
                    cause: look.cause.name().into(),
                    dependency: dependency(&look.cause),
                    due: look.due,
                    attempts: look.attempts,
                    age: look.age,
                })
                .collect(),
            settled: settled.into_iter().map(|offset| offset.0).collect(),
            passed: passed.map(|offset| offset.0),
        };
        let store = self.parts.shop.store.clone();
        let inbox = self.parts.shop.inbox.clone();
        let parking = async move {
            let result = match store.park(change).await {
                Ok(ParkAnswer::Done) => Ok(()),
                Ok(ParkAnswer::Fenced) => Err(ParkFault::Fenced),
                Err(error) => {
                    telemetry::park_failed(&error);
                    Err(ParkFault::Unavailable)
                }
            };
            inbox.tell(Input::Parked {
                partition,
                assignment,
                park,
                result,
            });
        };
        self.parts.tracker.spawn_on(parking, &self.parts.handlers);
    }

    pub(super) fn load_parked(&self, load: ParkedLoad) {
        let ParkedLoad {
            load,
            partition,
            assignment,
            key,
            records_max,
        } = load;
        let wanted = ParkLoad {
            owner: self.owner_key(partition),
            lane: key.clone(),
            rows_max: records_max,
        };
        let from = self.name(partition);
        let handlers = Arc::clone(&self.parts.worker.handlers);
        let store = self.parts.shop.store.clone();
        let inbox = self.parts.shop.inbox.clone();
        let loading = async move {
            let result = match store.load_parked(wanted).await {
                Ok(rows) => Ok(rows
                    .into_iter()
                    .map(|loaded| record(&from, loaded, &handlers))
                    .collect()),
                Err(error) => {
                    telemetry::park_failed(&error);
                    Err(ParkFault::Unavailable)
                }
            };
            inbox.tell(Input::ParkedLoaded {
                partition,
                assignment,
                load,
                key,
                result,
            });
        };
        self.parts.tracker.spawn_on(loading, &self.parts.handlers);
    }

    fn owner_key(&self, partition: Partition) -> OwnerKey {
        let name = self.name(partition);
        OwnerKey {
            worker: Arc::from(self.parts.worker.name()),
            topic: name.topic,
            partition: name.partition,
        }
    }
}

/// What a new owner found, in the pump's words.
pub(super) fn state(found: FoundParked) -> ParkedState {
    let lanes = found.lanes.into_iter().map(|lane| {
        let (cause, due) = match lane.look {
            Some(look) => (cause(&look), look.due),
            // Its head settled, and its successor was never looked at.
            None => (Waiting::Backlog, std::time::Duration::ZERO),
        };
        ParkedLane {
            key: lane.lane,
            records: lane.rows,
            bytes: lane.bytes,
            cause,
            due,
        }
    });
    ParkedState {
        lanes: lanes.collect(),
        offsets: found.offsets.into_iter().map(Offset).collect(),
    }
}

/// The dependency is only an index into who waits for whom: today's code decides anew when the lane runs.
fn cause(look: &ParkedLook) -> Waiting {
    match (&*look.cause, &look.dependency) {
        ("dependency", Some(name)) => Waiting::Dependency(Arc::clone(name)),
        ("quota", Some(name)) => Waiting::Quota(Arc::clone(name)),
        ("claimed", _) => Waiting::Claimed,
        ("retry", _) => Waiting::Retry,
        _ => Waiting::Backlog,
    }
}

fn dependency(cause: &Waiting) -> Option<Arc<str>> {
    match cause {
        Waiting::Dependency(name) | Waiting::Quota(name) => Some(Arc::clone(name)),
        _ => None,
    }
}

fn row(lane: LaneKey, delivery: &Delivery) -> ParkedRow {
    ParkedRow {
        lane,
        offset: delivery.offset,
        timestamp_ms: delivery.timestamp_ms,
        key: delivery.key.clone(),
        value: delivery.value.clone(),
        headers: delivery.headers.clone(),
    }
}

fn record(from: &TopicPartition, loaded: LoadedRow, handlers: &Handlers) -> ParkedRecord<Body> {
    let LoadedRow { row, attempts, age } = loaded;
    let bytes = row.bytes();
    let offset = row.offset;
    let delivery = Delivery {
        from: from.clone(),
        offset,
        timestamp_ms: row.timestamp_ms,
        key: row.key,
        value: row.value,
        headers: row.headers,
        bytes,
    };
    ParkedRecord {
        offset: Offset(offset),
        bytes,
        attempts,
        age,
        body: Arc::new(Delivered::read(delivery, clock::wall_ms(), handlers)),
    }
}
