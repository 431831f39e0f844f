//! What an instance reads: from the committed position on, in offset order, sometimes twice, sometimes too late.

use argosy_kernel::{Input, Offset, Partition, Record};

use crate::simulation::{
    event::InstanceId,
    instance::Position,
    plan::RecordId,
    world::{Value, World},
};

/// Records per partition and poll.
const BATCH_MAX: u64 = 10;
/// How far back a second delivery reaches.
const REWIND_MAX: u64 = 6;

impl World {
    pub(super) fn begin_reading(&mut self, id: InstanceId, partitions: &[Partition]) {
        let intake = &mut self.instance(id).intake;
        for partition in partitions {
            intake.held.remove(partition);
            intake.positions.insert(*partition, Position::Unknown);
        }
    }

    pub(super) fn end_reading(&mut self, id: InstanceId, partitions: &[Partition]) {
        let intake = &mut self.instance(id).intake;
        for partition in partitions {
            intake.held.remove(partition);
            intake.positions.remove(partition);
        }
    }

    /// Collects what is there and gives it to the pump.
    pub(super) fn poll(&mut self, id: InstanceId) {
        self.instance(id).intake.poll_due = false;
        // While a revoke is unanswered nothing is delivered from any partition.
        if self.broker.running().is_none() || self.instance(id).member.is_revoking() {
            return;
        }
        let intake = &self.instance(id).intake;
        let mut partitions: Vec<Partition> = intake
            .positions
            .keys()
            .copied()
            .filter(|partition| !intake.held.contains(partition))
            .collect();
        self.network.shuffle(&mut partitions);
        let mut records = Vec::new();
        for partition in partitions {
            let Some((first, next)) = self.find_position(id, partition) else {
                continue;
            };
            records.extend(self.read(id, partition, first, next));
        }
        if !records.is_empty() {
            self.turn(id, Input::Records(records));
        }
    }

    /// Where to read on; the first time the group's position is asked for.
    fn find_position(&mut self, id: InstanceId, partition: Partition) -> Option<(i64, i64)> {
        let known = self
            .instance(id)
            .intake
            .positions
            .get(&partition)
            .copied()?;
        let (first, next) = match known {
            Position::At { first, next } => (first, next),
            Position::Unknown => {
                let committed = self.broker.group.committed(partition);
                let start = self.broker.log(partition)?.start();
                let first = committed.map_or(start, |committed| committed.offset.0.max(start));
                (first, first)
            }
        };
        if self.network.chance(self.weather.delivered_twice) && next > first {
            let back = self.network.between(1, REWIND_MAX) as i64;
            self.coverage.delivered_twice += 1;
            return Some((first, (next - back).max(first)));
        }
        Some((first, next))
    }

    fn read(
        &mut self,
        id: InstanceId,
        partition: Partition,
        first: i64,
        next: i64,
    ) -> Vec<Record<RecordId>> {
        let batch = self.network.between(1, BATCH_MAX) as usize;
        let records = self.read_from(partition, next, batch);
        let after = records.last().map_or(next, |record| record.offset.next().0);
        let end = self.broker.log(partition).map_or(after, |log| log.end());
        // Behind the last record there may be markers, which are never delivered.
        let next = if records.len() < batch { end } else { after };
        self.instance(id)
            .intake
            .positions
            .insert(partition, Position::At { first, next });
        records
    }

    fn read_from(&self, partition: Partition, from: i64, batch: usize) -> Vec<Record<RecordId>> {
        let Some(log) = self.broker.log(partition) else {
            return Vec::new();
        };
        log.read(from, batch)
            .filter_map(|(offset, value)| match value {
                Value::Input(record) => Some(self.record(partition, Offset(offset), *record)),
                Value::Output => None,
            })
            .collect()
    }

    fn record(&self, partition: Partition, offset: Offset, record: RecordId) -> Record<RecordId> {
        let planned = self.plan.record(record);
        Record {
            partition,
            offset,
            lane: planned.lane.key(offset),
            bytes: planned.bytes,
            skip: planned.skip,
            body: record,
        }
    }

    /// Records that were fetched before their partition went, and come after it.
    pub(super) fn deliver_late(&mut self, id: InstanceId, gone: &[Partition]) {
        for partition in gone {
            if self.instance(id).member.owned().contains(partition) {
                continue;
            }
            let newest = self.judge.newest_delivered(id, *partition);
            let records = self.read_from(*partition, newest + 1, 2);
            if !records.is_empty() {
                self.coverage.delivered_late += 1;
                self.turn(id, Input::Records(records));
            }
        }
    }
}
