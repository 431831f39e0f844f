//! The model broker: logs and one consumer group, without I/O or time of its own.
//!
//! It keeps what Kafka keeps (positions, generations, memberships) and decides as Kafka decides; when messages arrive
//! and what is lost on the way is the scheduler's business.

pub mod assignor;
pub mod group;
pub mod log;
pub mod member;

use argosy_kernel::Partition;

use self::{
    group::Group,
    log::{Log, ProducerId},
};

/// A broker with its topics and one group.
#[derive(Debug)]
pub struct ModelBroker<V> {
    /// The group that consumes.
    pub group: Group,
    logs: Vec<(Partition, Log<V>)>,
    running: Option<Incarnation>,
    incarnations: u64,
}

/// One life of the broker process: what was sent to another life gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incarnation(u64);

impl<V> ModelBroker<V> {
    /// A running broker with these partitions, and a group that consumes some of them.
    pub fn new(partitions: &[Partition], group: Group) -> Self {
        Self {
            group,
            logs: partitions.iter().map(|at| (*at, Log::new())).collect(),
            running: Some(Incarnation(0)),
            incarnations: 1,
        }
    }

    /// The broker's present life; `None` while it is down.
    pub fn running(&self) -> Option<Incarnation> {
        self.running
    }

    /// It dies. What is in the logs and the group's positions are durable, requests under way are not.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// It comes back, as another process.
    pub fn start(&mut self) {
        if self.running.is_none() {
            self.running = Some(Incarnation(self.incarnations));
            self.incarnations += 1;
        }
    }

    /// The log of a partition; `None` if there is no such partition.
    pub fn log(&self, partition: Partition) -> Option<&Log<V>> {
        self.logs
            .iter()
            .find(|(at, _)| *at == partition)
            .map(|(_, log)| log)
    }

    /// The log of a partition, to write to or to trim.
    pub fn log_mut(&mut self, partition: Partition) -> Option<&mut Log<V>> {
        self.logs
            .iter_mut()
            .find(|(at, _)| *at == partition)
            .map(|(_, log)| log)
    }

    /// Appends as an idempotent producer does: the same sequence a second time is known and appended once.
    /// `None` if the broker is down or has no such partition.
    pub fn produce(
        &mut self,
        partition: Partition,
        producer: ProducerId,
        sequence: u64,
        value: V,
    ) -> Option<i64> {
        self.running?;
        let log = self.log_mut(partition)?;
        Some(log.append_once(producer, sequence, value))
    }
}
