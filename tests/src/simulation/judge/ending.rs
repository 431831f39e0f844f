//! Rules about the end: when the faults have stopped everything settles, is committed, and everybody can leave.

use argosy_kernel::Settle;
use argosy_testkit::vendor::ModelVendor;

use super::{Judge, Rule};
use crate::simulation::{
    plan::{EffectIndex, Ending, Plan, RecordId},
    world::reference,
};

/// Open records that a report names.
const NAMED_MAX: usize = 5;

impl Judge {
    /// Is every accepted record clear, and committed, no key held and no replay under way?
    pub(crate) fn is_at_rest(&self) -> bool {
        self.unclear == 0
            && self.holds.is_empty()
            && self.replays.is_empty()
            && self.partitions.values().all(|truth| truth.is_committed())
    }

    /// Everything is clear and committed: is it also right?
    pub(crate) fn all_settled(&mut self, vendor: &ModelVendor, plan: &Plan) {
        for number in 0..self.records.len() {
            let record = RecordId(number as u32);
            match self.records[number].told_last {
                None => self.rule(Rule::AllSettles, || format!("record {number} is not clear")),
                Some(Settle::Done) => self.check_effects(record, vendor, plan, 1),
                Some(Settle::Skipped(_)) if plan.record(record).ending == Ending::Skipped => {}
                Some(Settle::Skipped(_)) => self.check_effects(record, vendor, plan, 0),
                Some(Settle::Dead(_)) => {}
            }
        }
    }

    fn check_effects(
        &mut self,
        record: RecordId,
        vendor: &ModelVendor,
        plan: &Plan,
        expected: u32,
    ) {
        for effect in plan.record(record).effects.clone().map(EffectIndex) {
            let applied = vendor.applied(reference(effect));
            if applied != expected {
                self.rule(Rule::DoneMeansEffectsHappened, || {
                    format!(
                        "record {}: effect {} was applied {applied} times, not {expected}",
                        record.0, effect.0
                    )
                });
            }
        }
    }

    /// Everybody has left.
    pub(crate) fn all_left(&mut self) {
        if let Some((id, _)) = self.live.iter().find(|(_, live)| !live.is_empty()) {
            let id = id.0;
            self.rule(Rule::AllLeave, || {
                format!("instance {id} left a run behind")
            });
        }
    }

    /// What is still open, for a report.
    pub(crate) fn describe_open(&self) -> String {
        let named: Vec<String> = self
            .partitions
            .iter()
            .flat_map(|(partition, truth)| {
                truth
                    .records
                    .iter()
                    .filter(|(_, record)| self.records[record.index()].clear.is_none())
                    .map(move |(offset, record)| {
                        format!(
                            "record {} at {}/{}@{}, settled {:?}",
                            record.0,
                            partition.topic.0,
                            partition.number,
                            offset.0,
                            self.records[record.index()].settled
                        )
                    })
            })
            .take(NAMED_MAX)
            .collect();
        let lagging = self
            .partitions
            .values()
            .filter(|truth| !truth.is_committed())
            .count();
        format!(
            "{} records are not clear, {lagging} partitions not committed, held {:?}, replayed {:?}: {}",
            self.unclear,
            self.holds,
            self.replays,
            named.join("; ")
        )
    }
}
