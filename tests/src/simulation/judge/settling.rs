//! Rules about settling: only as decided, only after what it stands for is acknowledged, only once.

use argosy_kernel::{At, Death, Settle, claims::Repeat};
use argosy_testkit::vendor::ModelVendor;

use super::{Judge, Rule};
use crate::simulation::{
    event::{InstanceId, Write},
    plan::{EffectIndex, Ending, FaultKind, Plan, RecordId},
    world::reference,
};

impl Judge {
    /// Will the broker never take this?
    pub(crate) fn is_rejected(&self, write: &Write) -> bool {
        match write {
            Write::Emits { record, .. } => self.planned[record.index()].emits_rejected,
            Write::Letter { .. } | Write::Steps(_) => false,
        }
    }

    /// The broker acknowledges a write.
    pub(crate) fn acknowledged(&mut self, write: &Write) {
        match write {
            Write::Emits { record, count, .. } => {
                let all = *count == self.planned[record.index()].emits;
                self.records[record.index()].emits_acknowledged |= all;
            }
            Write::Letter { record, cause, .. } => {
                self.records[record.index()].letters.push(*cause);
            }
            Write::Steps(steps) => {
                for step in steps {
                    let truth = &mut self.records[step.record.index()];
                    self.unclear -= usize::from(truth.clear.is_none());
                    truth.clear.get_or_insert(step.settle);
                    truth.told_last = Some(step.settle);
                    truth.owes_step = false;
                }
            }
        }
    }

    /// A pump condemns a record.
    pub(crate) fn condemns(
        &mut self,
        id: InstanceId,
        at: At,
        record: RecordId,
        (cause, attempts): (Death, u32),
        plan: &Plan,
    ) {
        let planned = plan.record(record);
        let uncertain = planned
            .effects
            .clone()
            .any(|effect| plan.effect(EffectIndex(effect)).repeat != Repeat::Natural);
        let deserved = match cause {
            // A freeze may overrun anybody's deadline.
            Death::Attempts | Death::Deadline => true,
            Death::Panicked => planned.faults.kind == FaultKind::Panics,
            Death::Refused => planned.ending == Ending::Refused,
            Death::EmitRejected => planned.emits_rejected && planned.emits > 0,
            Death::Ambiguous => uncertain,
            Death::Crashed => plan.killer == Some(record),
            _ => false,
        };
        if !deserved {
            self.rule(Rule::DeathsAreDeserved, || {
                format!("{at:?} is dead of {cause}, which it never met")
            });
        }
        self.check_attempts(id, at, cause, attempts);
    }

    /// A pump settles a record.
    pub(crate) fn settles(
        &mut self,
        id: InstanceId,
        at: At,
        record: RecordId,
        settle: Settle,
        vendor: &ModelVendor,
        plan: &Plan,
    ) {
        match settle {
            Settle::Done => self.check_done(at, record, vendor, plan),
            Settle::Skipped(_) => self.check_skipped(at, record, plan),
            Settle::Dead(cause) => self.check_dead(at, record, cause),
        }
        self.check_once(id, at);
        self.check_hold(id, at, record, settle);
        self.records[record.index()].settled.get_or_insert(settle);
    }

    fn check_done(&mut self, at: At, record: RecordId, vendor: &ModelVendor, plan: &Plan) {
        let planned = plan.record(record);
        let decided = match planned.ending {
            Ending::Done => true,
            Ending::Refused => self.is_mended(record),
            Ending::Skipped => false,
        };
        if planned.skip.is_some() || !decided {
            self.rule(Rule::SettlesAsDecided, || {
                format!("{at:?} is done, its handler decided otherwise")
            });
        }
        let wrong = planned
            .effects
            .clone()
            .map(EffectIndex)
            .find(|effect| vendor.applied(reference(*effect)) != 1);
        if let Some(effect) = wrong {
            self.rule(Rule::DoneMeansEffectsHappened, || {
                let applied = vendor.applied(reference(effect));
                format!(
                    "{at:?} is done, effect {} was applied {applied} times",
                    effect.0
                )
            });
        }
        let expected = self.planned[record.index()];
        if expected.emits > 0 && !self.records[record.index()].emits_acknowledged {
            self.rule(Rule::EmitsBeforeSettling, || {
                format!("{at:?} settles, its events are not acknowledged")
            });
        }
    }

    fn check_skipped(&mut self, at: At, record: RecordId, plan: &Plan) {
        let planned = plan.record(record);
        if planned.skip.is_none() && planned.ending != Ending::Skipped {
            self.rule(Rule::SettlesAsDecided, || {
                format!("{at:?} is skipped, its handler decided otherwise")
            });
        }
    }

    fn check_dead(&mut self, at: At, record: RecordId, cause: Death) {
        if !self.records[record.index()].letters.contains(&cause) {
            self.rule(Rule::LetterBeforeSettling, || {
                format!("{at:?} settles as dead of {cause}, no such letter is acknowledged")
            });
        }
    }

    fn check_once(&mut self, id: InstanceId, at: At) {
        let Some(seen) = self.seen.get_mut(&(id, at.partition)) else {
            return;
        };
        if seen.assignment == at.assignment && !seen.settled.insert(at.offset) {
            self.rule(Rule::SettlesAsDecided, || {
                format!("{at:?} settles a second time in instance {}", id.0)
            });
        }
    }
}
