//! Partitions and positions as librdkafka's lists, and back.

use std::time::Duration;

use argosy_kernel::Offset;
use rdkafka::{
    consumer::{BaseConsumer, Consumer as _},
    topic_partition_list::{Offset as NativeOffset, TopicPartitionList},
};

use super::{context::Context, errors, native};
use crate::port::{BrokerError, Position, TopicPartition};

/// How long reading committed positions may take.
const COMMITTED_TIMEOUT: Duration = Duration::from_secs(5);

/// A list without offsets.
pub(super) fn list(partitions: &[TopicPartition]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for of in partitions {
        list.add_partition(&of.topic, of.partition);
    }
    list
}

/// A list to be committed.
pub(super) fn positions_list(positions: &[Position]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for position in positions {
        let mut line = list.add_partition(&position.of.topic, position.of.partition);
        line.set_offset(NativeOffset::Offset(position.offset.0.max(0)))
            .expect("no offset below zero");
        // Once: a second call would leak the first.
        if let Some(metadata) = &position.metadata {
            line.set_metadata(metadata);
        }
    }
    list
}

/// The group's committed positions; `None` for a partition without one. Blocks.
pub(super) fn committed(
    consumer: &BaseConsumer<Context>,
    of: &[TopicPartition],
) -> Result<Vec<Option<Position>>, BrokerError> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let read = consumer
        .committed_offsets(list(of), COMMITTED_TIMEOUT)
        .map_err(|error| errors::of(&error, "read committed positions"))?;
    let rows = native::rows(&read);
    of.iter()
        .map(|of| {
            let row = rows
                .iter()
                .find(|row| *row.topic == *of.topic && row.partition == of.partition);
            let Some(row) = row else { return Ok(None) };
            if let Some(code) = row.error {
                let what = format!(
                    "read the committed position of {}/{}",
                    of.topic, of.partition
                );
                return Err(errors::of_code(code, &what));
            }
            Ok((row.offset >= 0).then(|| Position {
                of: of.clone(),
                offset: Offset(row.offset),
                metadata: row.metadata.as_ref().map(|text| text.clone().into_owned()),
            }))
        })
        .collect()
}
