//! The judge: a truth about every record and effect that is kept outside the pumps, and the rules that it must obey.
//!
//! The first broken rule ends the seed. Rules about ownership ask the group, not the instance: who lost its
//! membership against its will may still believe otherwise, and is excused as long as nothing comes of it.

mod calls;
mod commits;
mod ending;
mod holding;
mod inspection;
mod parking;
mod runs;
mod settling;
mod truth;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use argosy_kernel::{Epoch, Input, LaneKey, Offset, Partition, PumpConfig};
use serde::Serialize;

use self::{
    runs::{LiveRun, Seen},
    truth::{LaneTruth, PartitionTruth, RecordTruth},
};
use super::{
    event::{InstanceId, PumpInput},
    plan::{EffectIndex, Plan, PlannedRecord, RecordId},
};

/// What must hold at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// No commit passes a record that is not clear.
    CommitPassesNothingUnclear,
    /// Committed offsets never go back.
    CommitsOnlyGrow,
    /// Only the owner commits a partition.
    OnlyOwnersCommit,
    /// Per key at most one run is live among the current owners.
    OneLiveRunPerKey,
    /// A key's records run in the order of their offsets.
    OffsetsIncrease,
    /// Nothing runs beside a record that runs alone.
    SuspectsRunAlone,
    /// Partitions are let go only when no handler of theirs is live.
    LetGoAfterHandlers,
    /// An effect is applied at most once.
    EffectsAtMostOnce,
    /// Two calls of one effect are never under way at once.
    CallsDoNotOverlap,
    /// A claim of another run is taken over only once it has expired, and only where a repeat is allowed.
    TakeoversAreAllowed,
    /// A done record's effects were each applied exactly once.
    DoneMeansEffectsHappened,
    /// Emitted events are acknowledged before their record settles.
    EmitsBeforeSettling,
    /// A dead record's letter is acknowledged before it settles.
    LetterBeforeSettling,
    /// A dead record's key is held before it settles, where that is the policy.
    HoldBeforeSettling,
    /// Nothing behind its key's hold starts.
    HoldsHold,
    /// A hold ends only if somebody asked for that, or its record came back to life.
    HoldsEndAsAsked,
    /// A replayed record runs at its own place in its key's order.
    ReplaysKeepTheirPlace,
    /// Only what was dead is told to be alive again.
    OnlyTheDeadRevive,
    /// A parked row becomes a tombstone once its settlement is told, and goes once the group has passed it.
    BuriedOnceTold,
    /// A record settles as its handler decided, and once per assignment.
    SettlesAsDecided,
    /// A record is condemned only for what happened to it.
    DeathsAreDeserved,
    /// Every record delivered and not settled is in a lane.
    NothingIsForgotten,
    /// Every waiting lane has a wake-up, and no ready lane idles.
    WaitingHasAWakeUp,
    /// Budgets hold.
    BudgetsHold,
    /// When the faults stop, everything settles.
    AllSettles,
    /// An instance that is asked to stop leaves, once.
    AllLeave,
    /// The pump panicked.
    NoPanic,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommitPassesNothingUnclear => "no commit passes a record that is not clear",
            Self::CommitsOnlyGrow => "committed offsets never go back",
            Self::OnlyOwnersCommit => "only the owner commits a partition",
            Self::OneLiveRunPerKey => "per key at most one run is live",
            Self::OffsetsIncrease => "a key's records run in the order of their offsets",
            Self::SuspectsRunAlone => "nothing runs beside a record that runs alone",
            Self::LetGoAfterHandlers => "partitions are let go only after their handlers ended",
            Self::EffectsAtMostOnce => "an effect is applied at most once",
            Self::CallsDoNotOverlap => "two calls of one effect are never under way at once",
            Self::TakeoversAreAllowed => "a claim is taken over only once a repeat is allowed",
            Self::DoneMeansEffectsHappened => "a done record's effects happened, each once",
            Self::EmitsBeforeSettling => "emitted events are acknowledged before settling",
            Self::LetterBeforeSettling => "a dead letter is acknowledged before settling",
            Self::HoldBeforeSettling => "a dead record's key is held before it settles",
            Self::HoldsHold => "nothing behind its key's hold starts",
            Self::HoldsEndAsAsked => "a hold ends only if that was asked for",
            Self::ReplaysKeepTheirPlace => "a replayed record runs at its own place",
            Self::OnlyTheDeadRevive => "only what was dead is revived",
            Self::BuriedOnceTold => "a parked row is buried once its settlement is told",
            Self::SettlesAsDecided => "a record settles as its handler decided, once",
            Self::DeathsAreDeserved => "a record is condemned only for what happened to it",
            Self::NothingIsForgotten => "every record delivered and not settled is in a lane",
            Self::WaitingHasAWakeUp => "every waiting lane has a wake-up, no ready lane idles",
            Self::BudgetsHold => "budgets hold",
            Self::AllSettles => "when the faults stop, everything settles",
            Self::AllLeave => "an instance that is asked to stop leaves, once",
            Self::NoPanic => "no input makes the pump panic",
        })
    }
}

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// How.
    pub detail: String,
}

/// The truth, and the first broken rule.
#[derive(Debug)]
pub(crate) struct Judge {
    violation: Option<Violation>,
    config: PumpConfig,
    planned: Vec<Expected>,
    records: Vec<RecordTruth>,
    partitions: BTreeMap<Partition, PartitionTruth>,
    lanes: LaneTruth,
    live: BTreeMap<InstanceId, Vec<LiveRun>>,
    seen: BTreeMap<(InstanceId, Partition), Seen>,
    calls_until: BTreeMap<EffectIndex, argosy_kernel::Time>,
    unclear: usize,
    /// The newest epoch of each partition, as the store has it.
    newest_epochs: BTreeMap<Partition, Epoch>,
    /// Held keys and their dead records, as the store has them.
    holds: BTreeMap<(Partition, LaneKey), Offset>,
    /// Dead records whose release was asked for.
    releases: BTreeSet<(Partition, Offset)>,
    /// Replayed records that did not settle yet, as the store has them, and whether a run of theirs ended well.
    replays: BTreeMap<(Partition, LaneKey), BTreeMap<Offset, bool>>,
}

/// What the plan says about a record, as far as the judge needs it at every step.
#[derive(Clone, Copy, Debug)]
struct Expected {
    emits_rejected: bool,
    emits: u8,
}

impl Judge {
    /// A judge who has seen nothing yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        let partitions = plan.group.partitions.iter();
        Self {
            violation: None,
            config: plan.pump.clone(),
            planned: plan.records.iter().map(expect).collect(),
            records: vec![RecordTruth::default(); plan.records.len()],
            partitions: partitions
                .map(|partition| (*partition, PartitionTruth::default()))
                .collect(),
            lanes: LaneTruth::new(plan),
            live: BTreeMap::new(),
            seen: BTreeMap::new(),
            calls_until: BTreeMap::new(),
            unclear: 0,
            newest_epochs: BTreeMap::new(),
            holds: BTreeMap::new(),
            releases: BTreeSet::new(),
            replays: BTreeMap::new(),
        }
    }

    /// The store gave out an ownership.
    pub(crate) fn owner_taken(&mut self, partition: Partition, epoch: Epoch) {
        let newest = self.newest_epochs.entry(partition).or_insert(epoch);
        *newest = (*newest).max(epoch);
    }

    /// Is a rule broken?
    pub(crate) fn has_ruled(&self) -> bool {
        self.violation.is_some()
    }

    /// The first broken rule.
    pub(crate) fn into_violation(self) -> Option<Violation> {
        self.violation
    }

    /// A rule is broken; only the first counts.
    pub(crate) fn rule(&mut self, rule: Rule, detail: impl FnOnce() -> String) {
        if self.violation.is_none() {
            self.violation = Some(Violation {
                rule,
                detail: detail(),
            });
        }
    }

    /// The upstream system published a record, and the broker acknowledged it: it is accepted.
    pub(crate) fn published(&mut self, record: RecordId, partition: Partition, offset: Offset) {
        self.unclear += 1;
        self.lanes.published(record, partition, offset);
        self.records[record.index()].offset = Some(offset);
        if let Some(truth) = self.partitions.get_mut(&partition) {
            truth.records.push((offset, record));
        }
    }

    /// An instance is about to give this input to its pump.
    pub(crate) fn hears(&mut self, id: InstanceId, input: &PumpInput) {
        match input {
            Input::Assigned {
                assignment,
                partitions,
            } => {
                for partition in partitions {
                    self.seen.insert((id, *partition), Seen::new(*assignment));
                }
            }
            Input::Lost { partitions } => self.forget(id, partitions),
            Input::Owned {
                partition,
                assignment,
                epoch,
                committed,
                parked,
            } => {
                if let Some(seen) = self.seen.get_mut(&(id, *partition))
                    && seen.assignment == *assignment
                {
                    seen.was_owned = true;
                    seen.read_again(&parked.offsets);
                    seen.epoch = Some(*epoch);
                    if let Some(committed) = committed {
                        seen.begin_at(committed);
                    }
                }
            }
            Input::ParkedLoaded {
                partition,
                assignment,
                result: Ok(records),
                ..
            } => {
                if let Some(seen) = self.seen.get_mut(&(id, *partition))
                    && seen.assignment == *assignment
                {
                    let is_fenced = self.newest_epochs.get(partition) != seen.epoch.as_ref();
                    for record in records {
                        seen.load(record.offset, record.attempts, is_fenced);
                    }
                }
            }
            Input::Records(records) => {
                for record in records {
                    if let Some(seen) = self.seen.get_mut(&(id, record.partition)) {
                        seen.deliver(record.offset);
                    }
                }
            }
            _ => {}
        }
    }

    /// The last record of a partition that this instance was given; -1 for none.
    pub(crate) fn newest_delivered(&self, id: InstanceId, partition: Partition) -> i64 {
        self.seen
            .get(&(id, partition))
            .and_then(Seen::newest)
            .map_or(-1, |offset| offset.0)
    }

    /// Did this instance own the partition before, under the same assignment?
    pub(crate) fn was_owned(&self, id: InstanceId, partition: Partition) -> bool {
        self.seen
            .get(&(id, partition))
            .is_some_and(|seen| seen.was_owned)
    }

    /// The instance has these partitions no more.
    fn forget(&mut self, id: InstanceId, partitions: &[Partition]) {
        for partition in partitions {
            self.seen.remove(&(id, *partition));
        }
    }
}

fn expect(planned: &PlannedRecord) -> Expected {
    Expected {
        emits_rejected: planned.emits_rejected,
        emits: planned.emits,
    }
}
