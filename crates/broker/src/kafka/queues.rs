//! One queue per partition, kept for the consumer's life, taken round robin.
//!
//! Invariants: a partition's queue is split before its first assign and never dropped before the consumer, else its
//! records wait in a queue that nobody polls. A queue that may hold something is marked ready: by its callback on the
//! edge from empty, here when a turn ends before the queue does, and at every assign, which may have spent the edge.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rdkafka::consumer::{BaseConsumer, base_consumer::PartitionQueue};
use tokio::sync::Notify;

use super::{context::Context, delivery};
use crate::port::{BrokerError, Delivery, TopicPartition};

/// Bytes copied in one turn, beside the owner's limit of records.
const TURN_BYTES_MAX: usize = 16 << 20;

struct Queue {
    partition: TopicPartition,
    native: PartitionQueue<Context>,
    is_ready: Arc<AtomicBool>,
    /// The owner works on this partition.
    is_open: bool,
    /// The owner wants no records of it for now. They wait in the queue, whose length librdkafka bounds; its own pause
    /// would throw them away and fetch them again.
    is_held: bool,
}

/// All queues of a consumer.
#[derive(Default)]
pub(super) struct Queues {
    all: Vec<Queue>,
    of: HashMap<TopicPartition, usize>,
    /// Where the next turn begins.
    next: usize,
}

impl Queues {
    /// Sees to it that the partition has a queue of its own; before its assign.
    pub(super) fn split(
        &mut self,
        consumer: &Arc<BaseConsumer<Context>>,
        partition: &TopicPartition,
        wake: &Arc<Notify>,
    ) -> Result<(), BrokerError> {
        if self.of.contains_key(partition) {
            return Ok(());
        }
        let mut native = consumer
            .split_partition_queue(&partition.topic, partition.partition)
            .ok_or_else(|| {
                BrokerError::Rejected(format!("topic {:?} is no name", partition.topic))
            })?;
        let is_ready = Arc::new(AtomicBool::new(true));
        let (ready, wake) = (Arc::clone(&is_ready), Arc::clone(wake));
        native.set_nonempty_callback(move || {
            ready.store(true, Ordering::Release);
            wake.notify_one();
        });
        self.of.insert(partition.clone(), self.all.len());
        self.all.push(Queue {
            partition: partition.clone(),
            native,
            is_ready,
            is_open: false,
            is_held: false,
        });
        Ok(())
    }

    /// Takes records of it from now on.
    pub(super) fn open(&mut self, partition: &TopicPartition) {
        self.change(partition, |queue| {
            queue.is_open = true;
            queue.is_held = false;
            queue.is_ready.store(true, Ordering::Release);
        });
    }

    /// Takes no more records of it.
    pub(super) fn shut(&mut self, partition: &TopicPartition) {
        self.change(partition, |queue| queue.is_open = false);
    }

    /// Takes none until `resume`.
    pub(super) fn hold(&mut self, partition: &TopicPartition) {
        self.change(partition, |queue| queue.is_held = true);
    }

    /// Takes them again.
    pub(super) fn resume(&mut self, partition: &TopicPartition) {
        self.change(partition, |queue| {
            queue.is_held = false;
            queue.is_ready.store(true, Ordering::Release);
        });
    }

    /// After an unassign: one poll makes librdkafka free what is left; it returns nothing of it.
    pub(super) fn free(&self, partition: &TopicPartition) {
        if let Some(&index) = self.of.get(partition) {
            drop(self.all[index].native.poll(Duration::ZERO));
        }
    }

    /// Takes at most so many records from the open queues; true if more may be there.
    pub(super) fn take(&mut self, records_max: usize, into: &mut Vec<Delivery>) -> bool {
        let (mut left, mut bytes_left) = (records_max, TURN_BYTES_MAX);
        loop {
            let ready = self.all.iter().filter(|queue| queue.is_takeable()).count();
            if ready == 0 {
                return false;
            }
            if left == 0 || bytes_left == 0 {
                return true;
            }
            let share = left.div_ceil(ready);
            for _ in 0..self.all.len() {
                let queue = &self.all[self.next];
                self.next = (self.next + 1) % self.all.len();
                if queue.is_takeable() {
                    let (records, bytes) = queue.take(share.min(left), bytes_left, into);
                    left -= records;
                    bytes_left = bytes_left.saturating_sub(bytes);
                }
                if left == 0 || bytes_left == 0 {
                    break;
                }
            }
        }
    }

    fn change(&mut self, partition: &TopicPartition, change: impl FnOnce(&mut Queue)) {
        if let Some(&index) = self.of.get(partition) {
            change(&mut self.all[index]);
        }
    }
}

impl Queue {
    fn is_takeable(&self) -> bool {
        self.is_open && !self.is_held && self.is_ready.load(Ordering::Acquire)
    }

    /// Records and bytes taken.
    fn take(
        &self,
        records_max: usize,
        bytes_max: usize,
        into: &mut Vec<Delivery>,
    ) -> (usize, usize) {
        // Before the first poll: an edge during the polls must not be overwritten.
        self.is_ready.store(false, Ordering::Release);
        let (mut records, mut bytes) = (0, 0);
        while records < records_max && bytes < bytes_max {
            match self.native.poll(Duration::ZERO) {
                None => return (records, bytes),
                // Told by the context already.
                Some(Err(_)) => {}
                Some(Ok(message)) => {
                    let delivery = delivery::copied(&message, &self.partition);
                    records += 1;
                    bytes += delivery.bytes;
                    into.push(delivery);
                }
            }
        }
        self.is_ready.store(true, Ordering::Release);
        (records, bytes)
    }
}
