//! Rules about holds and replays: durable before a dead record settles, kept until they are ended, and in a key's order.

use argosy_kernel::{At, Hold, LaneKey, Offset, Order, Partition, Replay, Settle};

use super::{Judge, Rule};
use crate::simulation::{
    event::{InstanceId, ParkedChange},
    plan::RecordId,
};

impl Judge {
    /// What this record died of is over.
    pub(crate) fn mends(&mut self, record: RecordId) {
        self.records[record.index()].is_mended = true;
    }

    /// Are this record's faults over?
    pub(crate) fn is_mended(&self, record: RecordId) -> bool {
        self.records[record.index()].is_mended
    }

    /// A letter of this record lies on its topic, acknowledged or not.
    pub(crate) fn letter_lies(&mut self, record: RecordId) {
        self.records[record.index()].has_letter = true;
    }

    /// An operator wants the key of this dead record released.
    pub(crate) fn release_is_asked(&mut self, partition: Partition, offset: Offset) {
        self.releases.insert((partition, offset));
    }

    /// The store has a change of parked rows durably. How many holds that ended.
    pub(crate) fn stored(
        &mut self,
        by: InstanceId,
        partition: Partition,
        change: &ParkedChange,
    ) -> u64 {
        for record in &change.rows {
            self.records[record.index()].is_parked = true;
        }
        let mut ended = 0;
        for key in &change.released {
            if let Some(offset) = self.holds.remove(&(partition, key.clone())) {
                self.check_ended_as_asked(partition, offset);
                ended += 1;
            }
        }
        for Hold { key, offset } in &change.holds {
            self.holds.insert((partition, key.clone()), *offset);
        }
        for offset in &change.revived {
            self.check_revived(partition, *offset);
        }
        for Replay { offset, .. } in &change.replays {
            self.begin_replay(by, partition, *offset);
        }
        ended
    }

    fn check_ended_as_asked(&mut self, partition: Partition, offset: Offset) {
        let asked = self.releases.contains(&(partition, offset));
        let lives = self.record_at(partition, offset).is_some_and(|record| {
            let settled = self.records[record.index()].settled_last;
            settled.is_some_and(|settle| !matches!(settle, Settle::Dead(_)))
        });
        if !asked && !lives {
            self.rule(Rule::HoldsEndAsAsked, || {
                format!(
                    "{partition:?}@{} holds its key no longer, and nobody asked for that",
                    offset.0
                )
            });
        }
    }

    fn check_revived(&mut self, partition: Partition, offset: Offset) {
        let was_dead = self.record_at(partition, offset).is_some_and(|record| {
            let truth = &self.records[record.index()];
            truth.has_letter && !matches!(truth.settled_last, None | Some(Settle::Dead(_)))
        });
        if !was_dead {
            self.rule(Rule::OnlyTheDeadRevive, || {
                format!("{partition:?}@{} is revived", offset.0)
            });
        }
    }

    /// A dead record is a row again: until it ends nothing later of its key runs.
    fn begin_replay(&mut self, by: InstanceId, partition: Partition, offset: Offset) {
        let Some(record) = self.record_at(partition, offset) else {
            self.rule(Rule::ReplaysKeepTheirPlace, || {
                format!("{partition:?}@{} is replayed and no record", offset.0)
            });
            return;
        };
        let lane = self.lanes.key(record, offset);
        self.records[record.index()].owes_step = true;
        if let Some(seen) = self.seen.get_mut(&(by, partition)) {
            seen.settled.remove(&offset);
        }
        if let Some(live) = self.live_of(by, partition, &lane) {
            self.rule(Rule::ReplaysKeepTheirPlace, || {
                format!("{partition:?}@{} is stored while {live:?} runs", offset.0)
            });
        }
        let open = self.replays.entry((partition, lane)).or_default();
        open.insert(offset, false);
    }

    /// Is this record replayed, and not at its end yet?
    pub(crate) fn is_replayed(&self, at: At, record: RecordId) -> bool {
        let place = (at.partition, self.lanes.key(record, at.offset));
        let open = self.replays.get(&place);
        open.is_some_and(|open| open.contains_key(&at.offset))
    }

    /// An owner starts a run: its key's hold lets it, and so do replays that go first.
    pub(super) fn check_held_back(&mut self, id: InstanceId, at: At, lane: &LaneKey) {
        if !self.is_current(id, at) {
            return;
        }
        let place = (at.partition, lane.clone());
        if let Some(held) = self
            .holds
            .get(&place)
            .copied()
            .filter(|held| *held < at.offset)
        {
            self.rule(Rule::HoldsHold, || {
                format!("{at:?} starts behind its hold at {}", held.0)
            });
        }
        let open = self.replays.get(&place).into_iter().flatten();
        let mut open = open.filter(|(_, ended_well)| !**ended_well);
        let first = open.next().map(|(offset, _)| *offset);
        if let Some(first) = first.filter(|first| *first < at.offset) {
            self.rule(Rule::ReplaysKeepTheirPlace, || {
                format!("{at:?} starts before the replay of {} has ended", first.0)
            });
        }
    }

    /// A run ended well and left nothing to be acknowledged: the hand-over goes on to the next.
    pub(super) fn replay_ends_well(&mut self, id: InstanceId, at: At, lane: LaneKey) {
        if self.is_current(id, at)
            && let Some(open) = self.replays.get_mut(&(at.partition, lane))
            && let Some(ended_well) = open.get_mut(&at.offset)
        {
            *ended_well = true;
        }
    }

    /// An owner settles a record: a replay ends; the key of a dead one is held.
    pub(super) fn check_hold(&mut self, id: InstanceId, at: At, record: RecordId, settle: Settle) {
        self.records[record.index()].settled_last = Some(settle);
        if !self.is_current(id, at) {
            return;
        }
        let lane = self.lanes.key(record, at.offset);
        let is_ordered = !matches!(lane, LaneKey::Keyless(_)) && self.config.order != Order::None;
        let place = (at.partition, lane);
        if let Some(open) = self.replays.get_mut(&place) {
            open.remove(&at.offset);
            if open.is_empty() {
                self.replays.remove(&place);
            }
        }
        let holds = self.config.hold_after_dead && self.config.parking.is_some() && is_ordered;
        let held = self.holds.get(&place).copied();
        if holds && matches!(settle, Settle::Dead(_)) && held < Some(at.offset) {
            self.rule(Rule::HoldBeforeSettling, || {
                format!("{at:?} settles as dead, its key is held at {held:?}")
            });
        }
    }

    /// Is this the newest ownership of the partition, by the store?
    fn is_current(&self, id: InstanceId, at: At) -> bool {
        let newest = self.newest_epochs.get(&at.partition);
        let seen = self.seen.get(&(id, at.partition));
        seen.is_some_and(|seen| {
            seen.assignment == at.assignment
                && seen.epoch.is_some()
                && seen.epoch.as_ref() == newest
        })
    }

    fn record_at(&self, partition: Partition, offset: Offset) -> Option<RecordId> {
        let records = &self.partitions.get(&partition)?.records;
        let place = records.binary_search_by_key(&offset, |(offset, _)| *offset);
        Some(records[place.ok()?].1)
    }
}
