//! Parked records: into the store and back, as the pump asks for it.

use std::sync::Arc;

use argosy_broker::{Delivery, TopicPartition};
use argosy_kernel::{
    Input, LaneKey, Offset, ParkFault, ParkWrite, ParkedLoad, ParkedRecord, Partition,
};
use argosy_store::{LoadedRow, OwnerKey, ParkChange, ParkLoad, ParkedRow};

use super::Owner;
use crate::{
    clock,
    delivered::{Body, Delivered},
    telemetry,
    worker::Handlers,
};

impl Owner {
    pub(super) fn park(&self, write: ParkWrite<Body>) {
        let (park, partition, assignment) = (write.park, write.partition, write.assignment);
        let change = ParkChange::of(self.owner_key(partition), write, |record| {
            row(record.key, &record.body.delivery)
        });
        let store = self.parts.shop.store.clone();
        let inbox = self.parts.shop.inbox.clone();
        let parking = async move {
            let result = match store.park(change).await {
                Ok(answer) => answer.result(),
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
            through,
        } = load;
        let wanted = ParkLoad {
            owner: self.owner_key(partition),
            lane: key.clone(),
            rows_max: records_max,
            through: through.map(|offset| offset.0),
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

    /// Not repeated if it fails: the next owner finds them again, and what they were is passed then.
    pub(super) fn forget_suspects(&self, partition: Partition, offsets: &[Offset]) {
        let store = Arc::clone(&self.parts.store);
        let owner = self.owner_key(partition);
        let offsets = offsets.iter().map(|offset| offset.0).collect();
        let forgetting = async move {
            if let Err(error) = store.forget_suspects(owner, offsets).await {
                telemetry::suspects_kept(&error);
            }
        };
        self.parts
            .tracker
            .spawn_on(forgetting, &self.parts.handlers);
    }

    pub(super) fn owner_key(&self, partition: Partition) -> OwnerKey {
        let name = self.name(partition);
        OwnerKey {
            worker: Arc::from(self.parts.worker.name()),
            topic: name.topic,
            partition: name.partition,
        }
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
    let LoadedRow {
        row,
        attempts,
        age,
        replayed,
    } = loaded;
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
        replayed,
        body: Arc::new(Delivered::out_of_store(
            delivery,
            replayed,
            clock::wall_ms(),
            handlers,
        )),
    }
}
