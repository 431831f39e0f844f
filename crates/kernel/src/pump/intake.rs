//! Records come in: each is charged once, skipped or queued in its lane, and counted against the partition's budget.
//!
//! Invariant: intake is held from the moment a budget is used up until half of it is free again, and for nothing else.

use super::{
    Action, Order, Pump, Record,
    assigned::{Assigned, SkipQueued},
    lane::Queued,
};
use crate::{
    ids::{LaneKey, Offset, Partition, Time},
    ledger::Charge,
};

impl<R: Clone, X: Clone> Pump<R, X> {
    /// Takes polled records. Those of a partition that is not ours, or on its way out, are left to its next owner.
    pub(super) fn take_in(&mut self, records: Vec<Record<R>>, now: Time) {
        for record in records {
            let partition = record.partition;
            let Some(assigned) = self.partitions.get_mut(&partition) else {
                continue;
            };
            if assigned.drain.is_some() {
                continue;
            }
            match assigned.ledger.charge(record.offset) {
                Charge::Repeated => continue,
                Charge::Restored => {
                    self.commits.mark(partition, assigned);
                    continue;
                }
                Charge::Pending => {}
            }
            assigned.held.records += 1;
            assigned.held.bytes = assigned.held.bytes.saturating_add(record.bytes);
            let key = lane_key(self.config.order, record.offset, &record.lane);
            let queued = Queued {
                offset: record.offset,
                bytes: record.bytes,
                is_stored: false,
                is_replayed: false,
                body: record.body,
            };
            match record.skip {
                Some(reason) => assigned.skips.push_back(SkipQueued {
                    record: queued,
                    reason,
                }),
                None => self.queue(partition, key, queued),
            }
            self.hold_intake(partition, now);
            self.open(partition);
        }
    }

    /// A record goes into its lane, or behind its key's rows.
    fn queue(&mut self, partition: Partition, key: LaneKey, record: Queued<R>) {
        if let Err(record) = self.append(partition, &key, record)
            && let Some(assigned) = self.partitions.get_mut(&partition)
        {
            assigned.lanes.push(key, record);
        }
    }

    /// Stops the intake of a partition whose budget is used up, and lets what waits in it go to the store.
    pub(super) fn hold_intake(&mut self, partition: Partition, now: Time) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let full = assigned.held.records >= self.config.partition_records_max
            || assigned.held.bytes >= self.config.partition_bytes_max;
        if full && !assigned.intake_held {
            assigned.intake_held = true;
            self.actions.push(Action::HoldIntake(partition));
            self.relieve(partition, now);
        }
    }

    /// Lets a record go out of the budget, and intake go on once half of it is free.
    pub(super) fn discount(&mut self, partition: Partition, bytes: usize) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        assigned.held.records = assigned.held.records.saturating_sub(1);
        assigned.held.bytes = assigned.held.bytes.saturating_sub(bytes);
        let roomy = assigned.held.records <= self.config.partition_records_max / 2
            && assigned.held.bytes <= self.config.partition_bytes_max / 2;
        if roomy && assigned.intake_held {
            assigned.intake_held = false;
            self.actions.push(Action::ResumeIntake(partition));
        }
    }

    /// Drops what was queued before the committed position was known and turned out to be clear. Nothing of the
    /// partition runs or is written then.
    pub(super) fn discard_clear(&mut self, partition: Partition) {
        let Some(assigned) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Assigned {
            ledger,
            lanes,
            skips,
            ..
        } = assigned;
        let mut dropped = Vec::new();
        let mut wanted = |record: &Queued<R>| {
            let pending = record.is_stored || ledger.is_pending(record.offset);
            if !pending {
                dropped.push(record.bytes);
            }
            pending
        };
        let woken = lanes.retain(&mut wanted);
        skips.retain(|skip| wanted(&skip.record));
        for index in woken {
            assigned.set_timer(&mut self.timers, partition, index, None);
            assigned.lanes.line_up(index);
        }
        for bytes in dropped {
            self.discount(partition, bytes);
        }
    }
}

/// The lane of a record under the worker's order.
pub(super) fn lane_key(order: Order, offset: Offset, lane: &LaneKey) -> LaneKey {
    match (order, lane) {
        (Order::Partition, _) => LaneKey::Whole,
        (Order::None, _) | (Order::Key, LaneKey::Keyless(_)) => LaneKey::Keyless(offset),
        (Order::Key, key) => key.clone(),
    }
}
