//! What is true of records, partitions and lanes, whatever any pump believes.

use std::collections::BTreeMap;

use argosy_kernel::{Death, LaneKey, Offset, Order, Partition, Settle};

use crate::simulation::{
    event::InstanceId,
    plan::{Plan, PlannedLane, RecordId},
};

/// What is true of a record.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordTruth {
    /// Its place in its partition, once it is published.
    pub(super) offset: Option<Offset>,
    /// A run of it ended well and left nothing to be acknowledged: the hand-over goes on to the next.
    pub(super) handled: bool,
    /// How it settled first, according to an instance.
    pub(super) settled: Option<Settle>,
    /// The first settlement whose step is acknowledged: the record is clear.
    pub(super) clear: Option<Settle>,
    /// How it settled last, according to an instance.
    pub(super) settled_last: Option<Settle>,
    /// The last settlement whose step is acknowledged.
    pub(super) told_last: Option<Settle>,
    /// It was replayed, and no step has been acknowledged since.
    pub(super) owes_step: bool,
    /// A letter of it lies on its topic, whether or not anybody was told.
    pub(super) has_letter: bool,
    /// What it died of is over.
    pub(super) is_mended: bool,
    /// The store has it, or had it.
    pub(super) is_parked: bool,
    /// Its events are acknowledged.
    pub(super) emits_acknowledged: bool,
    /// Letters of it that are acknowledged, by their cause.
    pub(super) letters: Vec<Death>,
}

impl RecordTruth {
    /// Need nobody deliver it again?
    fn is_clear(&self) -> bool {
        self.clear.is_some() || self.is_parked
    }

    /// May the next record of its lane run?
    pub(super) fn may_be_followed(&self) -> bool {
        self.handled || self.settled.is_some()
    }
}

/// What is true of a partition.
#[derive(Debug, Default)]
pub(super) struct PartitionTruth {
    /// Its records, in offset order.
    pub(super) records: Vec<(Offset, RecordId)>,
    /// So many of them, from the first on, are known to be clear.
    clear: usize,
    /// The highest position that the broker accepted.
    pub(super) accepted: Offset0,
    /// Who owned it last.
    pub(super) last_owner: Option<InstanceId>,
}

/// An offset that begins at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Offset0(pub(super) Offset);

impl Default for Offset0 {
    fn default() -> Self {
        Self(Offset(0))
    }
}

impl PartitionTruth {
    /// The first record that is not clear, if a commit of `offset` would pass it.
    pub(super) fn first_unclear_below(
        &mut self,
        offset: Offset,
        records: &[RecordTruth],
    ) -> Option<Offset> {
        while let Some((_, record)) = self.records.get(self.clear)
            && records[record.index()].is_clear()
        {
            self.clear += 1;
        }
        self.records
            .get(self.clear)
            .map(|(first, _)| *first)
            .filter(|first| *first < offset)
    }

    /// Is everything in it committed?
    pub(super) fn is_committed(&self) -> bool {
        self.records
            .last()
            .is_none_or(|(last, _)| self.accepted.0 > *last)
    }
}

/// Lanes as the worker's order has them, each with its records in offset order.
#[derive(Debug)]
pub(super) struct LaneTruth {
    order: Order,
    planned: Vec<PlannedLane>,
    lanes: BTreeMap<(Partition, LaneKey), Vec<RecordId>>,
    /// So many of a lane's records, from the first on, are known to be settled.
    settled: BTreeMap<(Partition, LaneKey), usize>,
}

impl LaneTruth {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            order: plan.pump.order,
            planned: plan
                .records
                .iter()
                .map(|record| record.lane.clone())
                .collect(),
            lanes: BTreeMap::new(),
            settled: BTreeMap::new(),
        }
    }

    pub(super) fn published(&mut self, record: RecordId, partition: Partition, offset: Offset) {
        let key = self.key(record, offset);
        self.lanes.entry((partition, key)).or_default().push(record);
    }

    /// The lane that a record belongs to.
    pub(super) fn key(&self, record: RecordId, offset: Offset) -> LaneKey {
        match self.order {
            Order::Key => self.planned[record.index()].key(offset),
            Order::Partition => LaneKey::Whole,
            Order::None => LaneKey::Keyless(offset),
        }
    }

    /// The first record of this one's lane that comes before it and has not settled.
    pub(super) fn first_unsettled_before(
        &mut self,
        record: RecordId,
        partition: Partition,
        key: &LaneKey,
        truths: &[RecordTruth],
    ) -> Option<RecordId> {
        let place = (partition, key.clone());
        let lane = self.lanes.get(&place)?;
        let settled = self.settled.entry(place).or_default();
        while let Some(first) = lane.get(*settled)
            && truths[first.index()].may_be_followed()
        {
            *settled += 1;
        }
        lane.get(*settled).copied().filter(|first| *first < record)
    }
}
