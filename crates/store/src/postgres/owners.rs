//! Taking ownership of partitions: whoever takes gets the next epoch, and all claims of older ones are refused.

use std::collections::{BTreeMap, BTreeSet};

use argosy_kernel::Epoch;
use sqlx::{Error, PgConnection, Row};
use uuid::Uuid;

use super::{
    connection::{Connections, Operation},
    text::{escape, shared},
};
use crate::{OwnerKey, StoreError};

/// Sorted, so that two takers of the same partitions wait for each other in one order.
const TAKE: &str = r#"
insert into owners (worker, topic, partition, epoch, instance, taken_at)
select worker, topic, partition, 1, $4, clock_timestamp()
from unnest($1::text[], $2::text[], $3::integer[]) as asked (worker, topic, partition)
order by worker collate "C", topic collate "C", partition
on conflict (worker, topic, partition) do update
set epoch = owners.epoch + 1, instance = excluded.instance, taken_at = excluded.taken_at
returning worker, topic, partition, epoch
"#;

pub(super) async fn take(
    connections: &Connections,
    instance: Uuid,
    owners: Vec<OwnerKey>,
) -> Result<Vec<Epoch>, StoreError> {
    // One statement cannot change a row twice; who asks twice gets one epoch for both.
    let once: BTreeSet<OwnerKey> = owners.iter().cloned().collect();
    if once.is_empty() {
        return Ok(Vec::new());
    }
    let epochs = connections.run(&Take { instance, once }).await?;
    owners
        .iter()
        .map(|owner| {
            epochs.get(owner).copied().ok_or_else(|| {
                StoreError::Unreadable("an owner that was taken is not in the answer".to_owned())
            })
        })
        .collect()
}

struct Take {
    instance: Uuid,
    once: BTreeSet<OwnerKey>,
}

impl Operation for Take {
    type Answer = BTreeMap<OwnerKey, Epoch>;

    async fn run(&self, connection: &mut PgConnection) -> Result<Self::Answer, Error> {
        let workers: Vec<_> = self
            .once
            .iter()
            .map(|owner| escape(&owner.worker))
            .collect();
        let topics: Vec<_> = self.once.iter().map(|owner| escape(&owner.topic)).collect();
        let partitions: Vec<_> = self.once.iter().map(|owner| owner.partition).collect();
        let rows = sqlx::query(TAKE)
            .bind(workers)
            .bind(topics)
            .bind(partitions)
            .bind(self.instance)
            .fetch_all(connection)
            .await?;
        rows.into_iter()
            .map(|row| {
                let owner = OwnerKey {
                    worker: shared(row.try_get(0)?),
                    topic: shared(row.try_get(1)?),
                    partition: row.try_get(2)?,
                };
                Ok((owner, Epoch(row.try_get(3)?)))
            })
            .collect()
    }
}
